### Ce qui s’est passé, après le nom de qui l’a fait.

audit-device-registered = Appareil enregistré pour { $email }
audit-device-activated = Appareil confirmé et activé
