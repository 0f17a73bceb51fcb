"""What the tests are made of: servers, runs, machines and people."""
