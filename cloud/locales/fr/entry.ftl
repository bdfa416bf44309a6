### Les pages avant la connexion, et les champs de tous les formulaires.

field-email = Adresse e-mail
field-password = Mot de passe
field-new-password = Nouveau mot de passe
field-repeated = Le même encore une fois
field-organisation-name = Nom du foyer ou de l’entreprise
field-company = Entreprise
field-name = Nom
field-your-name = Votre nom
field-phone = Téléphone
field-address = Rue et numéro
field-postcode = Code postal
field-city = Ville
field-country = Pays
field-mail-language = Langue des e-mails pour vous
field-token = Code reçu par e-mail
field-token-hint = La partie du lien après le signe #. Elle se remplit d’elle-même si votre navigateur accepte les scripts.
field-user-code = Code affiché par le programme
field-label = Texte de l’étiquette
field-label-open = Coller le texte de l’étiquette
field-label-hint = Collez ce que votre lecteur lit dans le code carré. Il remplit le code ID, le MAC et le secret.
field-id-code = Code ID
field-mac = Adresse MAC
field-proof = Code sur site ou secret de l’étiquette
field-proof-hint = L’appareil affiche le code sur site sur sa page locale. Le secret est dans le code carré de l’étiquette.
field-web-address = Adresse web
field-web-address-hint = Le nom sous lequel le client atteint les pages de l’appareil.
field-customer-email = Adresse e-mail du client
field-customer-email-hint = Le lien d’activation y est envoyé.
field-installer-email = Adresse e-mail de l’autre installateur
password-hint = Au moins 12 caractères. Une courte phrase se retient mieux qu’un mélange.
continue = Continuer
save = Enregistrer
leave-as-is = Ne rien changer
back-to-sign-in = Retour à la connexion

refused-password-short = Au moins { $least } caractères.
refused-password-common = Ce mot de passe se devine facilement. Ajoutez un ou deux mots que vous seul mettriez ensemble.
refused-not-your-password = Cette adresse a déjà un compte, et ce n’est pas son mot de passe. Donnez celui de vos connexions.
refused-password-differs = Les deux mots de passe diffèrent. Saisissez deux fois le même.
refused-missing-rest = Nécessaire dès qu’une donnée du client est remplie.
refused-unprintable = Contient un caractère qui ne s’imprime pas. Saisissez-le à nouveau.
refused-phone = Un numéro de téléphone n’a que des chiffres, des espaces et + ( ) - .

sign-in-title = Connexion
sign-in-lead = À vos appareils et à vos sessions.
sign-in-button = Se connecter
sign-in-forgotten = Mot de passe oublié
sign-in-installer = Vous installez des appareils et n’avez pas encore de compte ?
sign-in-sign-up = S’inscrire comme installateur
sign-in-refused = L’adresse e-mail et le mot de passe ne vont pas ensemble. Vérifiez les deux ou demandez un nouveau mot de passe.

sign-up-title = Inscription d’un installateur
sign-up-lead = Une fois pour votre entreprise. Tous les appareils ajoutés ensuite utilisent ce compte.
sign-up-email-hint = Elle sert à vous connecter. Un e-mail y part, dont le lien vous fait choisir votre mot de passe.
sign-up-button = S’inscrire
sign-up-known = Déjà inscrit ?

look-title = Regardez vos e-mails
look-what = Un e-mail part vers l’adresse indiquée. Son lien vous mène à l’étape suivante.
look-next = Rien après quelques minutes ? Regardez parmi les indésirables, vérifiez l’adresse et redemandez.

confirm-email-title = Confirmez votre adresse e‑mail
confirm-email-what = Choisissez le mot de passe de vos connexions, et votre compte est prêt.
confirm-email-button = Confirmer et définir le mot de passe

add-organisation-title = Ajoutez l’entreprise à votre compte
add-organisation-what = Cette adresse a déjà un compte. Donnez le mot de passe de vos connexions : l’entreprise que nomme le message y sera ajoutée.
add-organisation-button = Ajouter l’entreprise

forgotten-title = Mot de passe oublié
forgotten-what = Indiquez votre adresse e-mail : un lien pour définir un nouveau mot de passe y sera envoyé. L’actuel reste valable jusque-là.
forgotten-button = Envoyer le lien

set-password-title = Définissez votre mot de passe
set-password-what = Choisissez le mot de passe de vos prochaines connexions.
set-password-button = Définir le mot de passe

activate-title = Votre appareil vous attend
activate-what = Votre installateur a enregistré un appareil pour vous. Continuez pour le voir, vérifier vos données et confirmer. Ouvrir cette page n’a rien activé.
activate-not-yet = Une connexion vous sera demandée. Si vous n’avez pas encore de mot de passe, prenez d’abord le lien de l’autre e-mail.

approve-title = Un programme veut se connecter
approve-type = Saisissez le code affiché par gatelodge sign-in.
approve-compare = Comparez ce code avec celui du programme. N’approuvez que s’ils sont identiques et si c’est vous qui l’avez lancé.
approve-asked = Demandé
approve-as = Se connecte en tant que
approve-means = Le programme pourra lister vos appareils et ouvrir des sessions en votre nom, jusqu’à ce que vous l’y déconnectiez.
approve-button = Approuver
approve-refuse = Refuser
approve-done-title = Approuvé
approve-done-what = Le programme est connecté. Retournez-y ; vous pouvez fermer cette page.
approve-refused-title = Refusé
approve-refused-what = Le programme a reçu un refus. Si ce n’est pas vous qui l’aviez lancé, quelqu’un a tenté de se connecter à votre place : prévenez votre administrateur.
refused-user-code = Ce code est inconnu, déjà utilisé ou expiré. Relancez gatelodge sign-in pour en avoir un autre.
