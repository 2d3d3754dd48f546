"""Ground everything stands on: errors, source spans, records, readers, registry, bits."""
