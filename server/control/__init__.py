"""Remote control: sessions on displays, the lease that drives one, and the live view."""
