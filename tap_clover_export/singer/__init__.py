"""The SDK's side: the command line, the loop over streams, messages and STATE."""
