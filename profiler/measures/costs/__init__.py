"""What a backbone costs: counted from its architecture, and measured on a device."""
