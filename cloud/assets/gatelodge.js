// Gatelodge
