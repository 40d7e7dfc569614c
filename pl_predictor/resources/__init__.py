"""What the assets reach the outside through: one ConfigurableResource a service."""
