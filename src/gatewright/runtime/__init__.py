"""Ground services, which know nothing of networks and circuits: threads, memory, files, registries, programs, ABC."""
