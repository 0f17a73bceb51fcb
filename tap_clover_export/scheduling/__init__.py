"""Which step comes next: over partitions, regions and stages, within disk and limits."""
