"""The bytes of a file become RECORD lines; pure."""
