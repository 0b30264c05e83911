"""What hangs below an object: scale, binding, eviction, finalize, and the streams of a pod."""
