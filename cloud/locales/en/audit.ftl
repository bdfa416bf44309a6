### What happened, after the name of whoever did it.

audit-device-registered = Registered the device for { $email }
audit-device-activated = Confirmed and activated the device
