### Enregistrement et activation : ce que dit un refus.

refused-yours = Vous avez déjà enregistré cet appareil. Vous le trouvez parmi vos appareils.
refused-label-secret-wrong = Ce n’est pas le secret de l’étiquette de cet appareil. Scannez l’étiquette encore une fois.
activation-link-expired = Ce lien d’activation a expiré. Demandez à votre installateur de le renvoyer ; il lui suffit d’un bouton.
activation-link-used = Cet appareil est déjà confirmé. Connectez-vous : il se trouve sous Mes appareils.
activation-link-superseded = Un message plus récent a remplacé ce lien. Ouvrez le lien du dernier message d’activation.
activation-link-withdrawn = L’installateur a retiré cet enregistrement. Demandez-lui d’enregistrer l’appareil à nouveau.
activation-link-unknown = Ce lien d’activation n’est pas connu. Ouvrez-le encore une fois depuis le message, en entier.
take-over-link-expired = Ce lien a expiré. Demandez au client de l’envoyer à nouveau.
take-over-link-used = L’appareil a été repris avec ce lien. Connectez-vous avec le compte qui l’a fait, et vous le trouvez sous Appareils.
take-over-link-superseded = Le client a retiré ce lien ou en a envoyé un plus récent. Ouvrez le mail le plus récent, ou demandez-lui.
take-over-link-withdrawn = Cet appareil n’est plus à reprendre. Demandez au client.
activation-another-account = Cet appareil a été enregistré pour une autre adresse e-mail. Déconnectez-vous, puis connectez-vous avec le compte qui a reçu le message d’activation.
