"""The eyes: screen capture, coordinates, native-resolution preprocessing, the MoonViT encoder."""
