/* The first process of a guest: says that it is up, waits for its orders, mounts the host's root, runs one
 * command, and carries its standard streams and its end over a virtio-serial port.
 *
 * It waits for the orders before it mounts anything: a machine with a mounted 9p share can't be saved,
 * and one that is saved at that point starts every later command (lab/snapshot.py).
 *
 * lab/wire.py is the other end. A frame is a byte that says what it is, four of length (little-endian), data:
 *
 *   to the host:    b booted   r the command starts   o, e its stdout, stderr   x its end (int32)
 *   to the guest:   c orders   i stdin (empty: no more of it)
 *
 * Orders are strings, each with a NUL behind it, whose first letter says which:
 *
 *   A argument   E environment   C folder to run in   W folder that is writable   B from, newline, to: bound
 *   T "seconds.nanoseconds" of the clock   R random bytes (hex)   P path of modprobe
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD 5
#define MOST 4096
#define LOST 125 /* the exit status where the guest, not the command, failed */

static int port = -1;

/* -- saying what is wrong --------------------------------------------------------------------- */

static void send_frame(char kind, const void *data, uint32_t size)
{
	static char frame[HEAD + 65536];
	size_t total = HEAD + size;

	frame[0] = kind;
	memcpy(frame + 1, &size, 4);
	memcpy(frame + HEAD, data, size);
	for (size_t sent = 0; sent < total;) {
		ssize_t n = write(port, frame + sent, total - sent);
		if (n > 0) {
			sent += n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd ready = { port, POLLOUT, 0 };
			poll(&ready, 1, 100);
		} else if (n < 0 && errno != EINTR) {
			return; /* nobody is there to tell */
		}
	}
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT); /* QEMU runs with -no-reboot */
	for (;;)
		pause();
}

/* To the console, which the host shows when a guest ends without an exit status. */
static void warn(const char *what)
{
	printf("init: %s: %s\n", what, strerror(errno));
	fflush(stdout);
}

static void die(const char *what)
{
	int32_t status = LOST;
	char line[512];
	int size = snprintf(line, sizeof line, "init: %s: %s\n", what, strerror(errno));

	warn(what);
	if (port >= 0) {
		send_frame('e', line, size);
		send_frame('x', &status, sizeof status);
	}
	power_off();
}

/* -- up to "booted" --------------------------------------------------------------------------- */

static int is_entry(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of their names, which begin with a number. */
static void load_modules(void)
{
	struct dirent **entries;
	int count = scandir("/modules", &entries, is_entry, alphasort);

	for (int i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			warn(path);
		close(fd);
	}
}

static int has_name(const char *device, const char *wanted)
{
	char path[512], name[64] = "";

	snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", device);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	read(fd, name, sizeof name - 1);
	close(fd);
	return !strncmp(name, wanted, strlen(wanted));
}

/* Devices are found some time after their driver has been loaded: nine seconds are waited. */
static int open_port(const char *wanted)
{
	for (int tries = 0; tries < 3000; tries++) {
		struct dirent **entries;
		int fd = -1, count = scandir("/sys/class/virtio-ports", &entries, is_entry, alphasort);
		for (int i = 0; i < count && fd < 0; i++) {
			char path[512];
			snprintf(path, sizeof path, "/dev/%s", entries[i]->d_name);
			if (has_name(entries[i]->d_name, wanted))
				fd = open(path, O_RDWR | O_CLOEXEC);
		}
		if (fd >= 0)
			return fd;
		usleep(3000);
	}
	errno = ENODEV;
	return -1;
}

static void mount_devices(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("dev", "/dev", "devtmpfs", 0, "");
	int console = open("/dev/console", O_RDWR);
	for (int fd = 0; fd < 3 && console >= 0; fd++)
		dup2(console, fd);
	if (console > 2)
		close(console);
	mount("proc", "/proc", "proc", 0, "");
	mount("sys", "/sys", "sysfs", 0, "");
}

/* -- orders ----------------------------------------------------------------------------------- */

static char *orders;
static uint32_t orders_size;

static void read_fully(void *buffer, size_t size)
{
	for (char *at = buffer; size;) {
		ssize_t n = read(port, at, size);
		if (n > 0)
			at += n, size -= n;
		else if (n == 0 || errno == EAGAIN)
			usleep(2000); /* the host has not connected yet, or not again */
		else if (errno != EINTR)
			die("reading the orders");
	}
}

static void read_orders(void)
{
	unsigned char head[HEAD];

	read_fully(head, sizeof head);
	memcpy(&orders_size, head + 1, 4);
	orders = calloc(1, orders_size + 1);
	if (!orders)
		die("memory for the orders");
	read_fully(orders, orders_size);
}

/* The next order of a kind behind `after` (NULL: the first), without its letter; NULL: none. */
static char *next_order(char kind, char *after)
{
	char *at = after ? after + strlen(after) + 1 : orders;

	for (; at < orders + orders_size; at += strlen(at) + 1)
		if (*at == kind)
			return at + 1;
	return NULL;
}

/* A machine that was saved has the time and the random numbers of when it was. */
static void set_clock(const char *text)
{
	struct timespec time = { 0 };

	if (text && sscanf(text, "%ld.%ld", &time.tv_sec, &time.tv_nsec) == 2)
		clock_settime(CLOCK_REALTIME, &time);
}

static void seed_random(const char *hex)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[64];
	} pool = { { 0, 0 }, { 0 } };
	unsigned char *bytes = (unsigned char *)pool.info.buf;
	int size = 0, fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	for (unsigned value; hex && size < 64 && sscanf(hex, "%2x", &value) == 1; hex += 2)
		bytes[size++] = value;
	pool.info.entropy_count = size * 8;
	pool.info.buf_size = size;
	ioctl(fd, RNDADDENTROPY, &pool);
	ioctl(fd, RNDRESEEDCRNG);
	close(fd);
}

/* -- the root --------------------------------------------------------------------------------- */

static void mount_at(const char *source, const char *target, const char *type, const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, 0, options))
		warn(target);
}

/* The folders over `path`, from the one whose name ends at or behind `from`. */
static void make_parents(char *path, int from)
{
	for (char *at = path + from; (at = strchr(at, '/')); *at++ = '/') {
		*at = 0;
		mkdir(path, 0755);
	}
}

static void bind_path(const char *spec)
{
	char from[2048], to[2048], source[2100], target[2100];
	struct stat found;

	if (sscanf(spec, "%2047[^\n]\n%2047[^\n]", from, to) != 2)
		return;
	snprintf(source, sizeof source, "/new%s", from);
	snprintf(target, sizeof target, "/new%s", to);
	make_parents(target, sizeof "/new");
	if (stat(source, &found)) {
		warn(source);
		return;
	}
	if (S_ISDIR(found.st_mode))
		mkdir(target, 0755);
	else
		close(open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	if (mount(source, target, NULL, MS_BIND, NULL))
		warn(target);
}

/* The host's root, read-only, under a tmpfs that takes what is written. */
static void mount_root(void)
{
	mkdir("/lower", 0755);
	mkdir("/new", 0755);
	/* cache=loose: nobody writes to it from here, and a Python start is four times quicker so. */
	if (mount("root", "/lower", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,cache=loose,msize=512000"))
		die("mounting the host's root");
	mount_at("rw", "/rw", "tmpfs", "mode=755");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	if (mount("overlay", "/new", "overlay", 0, "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work"))
		die("mounting the overlay");
}

static void mount_writable(const char *path)
{
	char target[2100];

	snprintf(target, sizeof target, "/new%s", path);
	make_parents(target, sizeof "/new");
	mkdir(target, 0755);
	if (mount("out", target, "9p", 0, "trans=virtio,version=9p2000.L,cache=none,msize=262144"))
		die("mounting the writable folder");
}

static void fill_root(void)
{
	if (chdir("/new"))
		die("chdir /new");
	mount("/dev", "dev", NULL, MS_MOVE, NULL);
	mount("/proc", "proc", NULL, MS_MOVE, NULL);
	mount("/sys", "sys", NULL, MS_MOVE, NULL);
	mount_at("devpts", "dev/pts", "devpts", "mode=620,ptmxmode=666");
	mount_at("shm", "dev/shm", "tmpfs", "mode=1777");
	mount_at("run", "run", "tmpfs", "mode=755");
	mount_at("bpf", "sys/fs/bpf", "bpf", "mode=700");
	mount_at("tracefs", "sys/kernel/tracing", "tracefs", "");
	mount_at("debugfs", "sys/kernel/debug", "debugfs", "");
	mount_at("securityfs", "sys/kernel/security", "securityfs", "");
	mount_at("cgroup2", "sys/fs/cgroup", "cgroup2", "");
	symlink("/proc/self/fd", "dev/fd");
	symlink("/proc/self/fd/0", "dev/stdin");
	symlink("/proc/self/fd/1", "dev/stdout");
	symlink("/proc/self/fd/2", "dev/stderr");
}

static void enter_root(void)
{
	mount("/new", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") || chdir("/"))
		die("chroot");
}

/* What an init system would have done by now. */
static void set_up_system(const char *modprobe)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY }, files = { 65536, 1048576 };

	ioctl(fd, SIOCSIFFLAGS, &loopback);
	close(fd);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	setrlimit(RLIMIT_NOFILE, &files);
	sethostname("guest", 5);
	if (modprobe && (fd = open("/proc/sys/kernel/modprobe", O_WRONLY | O_CLOEXEC)) >= 0) {
		write(fd, modprobe, strlen(modprobe));
		close(fd);
	}
}

/* -- the command ------------------------------------------------------------------------------ */

struct carried {
	int in, out, err, ended; /* our ends of its three streams, and a signalfd; -1: at its end */
	pid_t pid;
	int done, status;
	double deadline; /* when what is left behind may still write, once it has ended */
	unsigned char head[HEAD];
	size_t head_size;
	uint32_t frame_left;	   /* bytes of a stdin frame that are still to come */
	char input[65536];
	size_t input_at, input_end; /* what the command has not taken yet */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void run_child(int in, int out, int err, const sigset_t *mask)
{
	static char *arguments[MOST];
	char *cwd = next_order('C', NULL);
	int count = 0;

	for (char *at = NULL; (at = next_order('A', at)) && count < MOST - 1;)
		arguments[count++] = at;
	clearenv();
	for (char *at = NULL; (at = next_order('E', at));)
		putenv(at);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (cwd && *cwd && chdir(cwd))
		fprintf(stderr, "init: chdir %s: %s\n", cwd, strerror(errno));
	execvp(arguments[0], arguments);
	fprintf(stderr, "init: %s: %s\n", arguments[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126); /* as a shell says it */
}

static void start_command(struct carried *command)
{
	int in[2], out[2], err[2];
	sigset_t child, before;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	send_frame('r', "", 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	signal(SIGPIPE, SIG_IGN);
	*command = (struct carried){ .in = in[1], .out = out[0], .err = err[0] };
	command->ended = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	command->pid = fork();
	if (command->pid < 0)
		die("fork");
	if (command->pid == 0)
		run_child(in[0], out[1], err[1], &before);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK);
	fcntl(command->in, F_SETFL, O_WRONLY | O_NONBLOCK);
}

static void carry_output(int *fd, char kind)
{
	static char buffer[65536];
	ssize_t n = read(*fd, buffer, sizeof buffer);

	if (n > 0) {
		send_frame(kind, buffer, n);
		return;
	}
	close(*fd);
	*fd = -1;
}

static void end_input(struct carried *command)
{
	close(command->in);
	command->in = -1;
}

/* From the port: the rest of a frame's head, or some of its data. */
static void take_input(struct carried *command)
{
	if (command->frame_left) {
		size_t most = sizeof command->input < command->frame_left ? sizeof command->input : command->frame_left;
		ssize_t n = read(port, command->input, most);
		if (n > 0) {
			command->frame_left -= n;
			command->input_at = 0;
			command->input_end = n;
		}
		return;
	}
	ssize_t n = read(port, command->head + command->head_size, HEAD - command->head_size);
	if (n > 0 && (command->head_size += n) == HEAD) {
		command->head_size = 0;
		memcpy(&command->frame_left, command->head + 1, 4);
		if (!command->frame_left)
			end_input(command);
	}
}

static void give_input(struct carried *command)
{
	ssize_t n = write(command->in, command->input + command->input_at, command->input_end - command->input_at);

	if (n > 0)
		command->input_at += n;
	else if (errno != EAGAIN && errno != EINTR)
		command->input_at = command->input_end; /* EPIPE: nobody reads it */
}

/* Orphans are init's, too: all are reaped, one is waited for. */
static void reap(struct carried *command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command->pid)
			continue;
		command->status = status;
		command->done = 1;
		command->deadline = now() + 1;
	}
}

static int32_t carry(struct carried *command)
{
	for (;;) {
		int waiting = command->input_at < command->input_end;
		int wanted = command->in >= 0 && !command->done && !waiting;
		struct pollfd fds[] = {
			{ command->out, POLLIN, 0 },	      { command->err, POLLIN, 0 },
			{ wanted ? port : -1, POLLIN, 0 },    { command->ended, POLLIN, 0 },
			{ waiting ? command->in : -1, POLLOUT, 0 },
		};
		struct signalfd_siginfo info;
		int ready = poll(fds, 5, command->done ? 50 : -1);

		while (fds[3].revents && read(command->ended, &info, sizeof info) > 0)
			;
		if (fds[0].revents)
			carry_output(&command->out, 'o');
		if (fds[1].revents)
			carry_output(&command->err, 'e');
		if (fds[4].revents)
			give_input(command);
		if (fds[2].revents & POLLIN)
			take_input(command);
		else if (fds[2].revents & (POLLHUP | POLLERR))
			end_input(command);
		reap(command);
		int quiet = ready == 0 || (command->out < 0 && command->err < 0);
		if (command->done && (quiet || now() > command->deadline))
			break;
	}
	return WIFEXITED(command->status) ? WEXITSTATUS(command->status) : 128 + WTERMSIG(command->status);
}

int main(void)
{
	static struct carried command;

	mount_devices();
	load_modules();
	port = open_port("guest.control");
	if (port < 0)
		die("the port guest.control");
	send_frame('b', "", 0);

	read_orders();
	set_clock(next_order('T', NULL));
	seed_random(next_order('R', NULL));

	mount_root();
	fill_root();
	for (char *at = NULL; (at = next_order('B', at));)
		bind_path(at);
	if (next_order('W', NULL))
		mount_writable(next_order('W', NULL));
	enter_root();
	set_up_system(next_order('P', NULL));

	start_command(&command);
	int32_t status = carry(&command);
	send_frame('x', &status, sizeof status);
	power_off();
}
