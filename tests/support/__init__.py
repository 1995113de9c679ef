"""What several tests need: servers on loopback, fakes of ports, builders of values."""
