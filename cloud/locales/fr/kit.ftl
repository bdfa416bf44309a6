### Dates, tailles, refus d’un champ, pannes et ce que toutes les pages partagent.

month-1 = janvier
month-2 = février
month-3 = mars
month-4 = avril
month-5 = mai
month-6 = juin
month-7 = juillet
month-8 = août
month-9 = septembre
month-10 = octobre
month-11 = novembre
month-12 = décembre
date-first = 1er
date-and-clock = { $date }, { $clock } UTC
ago-now = à l’instant
ago-minutes = { $count ->
    [one] il y a { $count } minute
   *[other] il y a { $count } minutes
}
ago-hours = { $count ->
    [one] il y a { $count } heure
   *[other] il y a { $count } heures
}
ago-days = { $count ->
    [one] hier
   *[other] il y a { $count } jours
}
in-moment = dans un instant
in-minutes = { $count ->
    [one] dans { $count } minute
   *[other] dans { $count } minutes
}
in-hours = { $count ->
    [one] dans { $count } heure
   *[other] dans { $count } heures
}
in-days = { $count ->
    [one] demain
   *[other] dans { $count } jours
}
span-seconds = { $count ->
    [one] { $count } seconde
   *[other] { $count } secondes
}
span-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
span-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}

refused-empty = À remplir.
refused-too-long = { $most } caractères au plus.
refused-code-character = « { $character } » n’apparaît pas dans un tel code : il a des chiffres et des lettres, sans I, L, O ni U.
refused-id-code-length = Un code ID a 12 caractères ; celui-ci en a { $length }. Recopiez l’étiquette, par exemple 7K3M-9QWX-22FP.
refused-id-code-check = Un caractère est faux ou deux sont inversés. Comparez encore le code ID avec l’étiquette.
refused-on-site-code-length = Un code sur site a 8 caractères ; celui-ci en a { $length }. L’appareil l’affiche sur sa page locale, par exemple 4F7K-92XQ.
refused-label-secret-length = Un secret d’étiquette a 16 caractères ; celui-ci en a { $length }. Scannez l’étiquette ou saisissez les quatre groupes.
refused-label-secret-check = Un caractère est faux ou deux sont inversés. Comparez encore le secret avec l’étiquette.
refused-mac-shape = Une adresse MAC a 12 chiffres de 0 à 9 et de A à F, par exemple 02:42:AC:11:00:02.
refused-mac-group = { $mac } n’est pas l’adresse d’un seul appareil. Relevez l’adresse MAC sur l’étiquette.
refused-serial-length = Un numéro de série a de 1 à 64 caractères ; celui-ci en a { $length }.
refused-serial-character = « { $character } » n’apparaît pas dans un numéro de série : il a des lettres, des chiffres et . _ - /
refused-email = Ce n’est pas une adresse e-mail. Écrivez-la comme nom@exemple.fr.
refused-label = Ce n’est pas l’étiquette d’un appareil. Scannez le code carré à côté de l’ID et du MAC, ou saisissez-les.
refused-web-address-length = Une adresse web a de 3 à 40 caractères ; celle-ci en a { $length }.
refused-web-address-character = « { $character } » n’est pas permis dans une adresse web : lettres sans accent, chiffres et tirets, comme villa-rosa.
refused-web-address-dash = Une adresse web commence et finit par une lettre ou un chiffre, comme villa-rosa.
refused-web-address-reserved = « { $name } » est réservé au portail. Choisissez un autre nom, comme villa-rosa.

fault-not-found-title = Cette page n’existe pas
fault-not-found-what = L’adresse est fausse, ou ce qu’elle montrait a disparu ou appartient à quelqu’un d’autre.
fault-not-found-next = Vérifiez l’adresse ou repartez de votre page d’accueil.
fault-forbidden-title = Vous ne pouvez pas faire cela
fault-forbidden-what = Votre rôle dans cette organisation ne le permet pas.
fault-forbidden-next = Demandez à un administrateur de votre organisation ou revenez à l’accueil.
fault-cross-site-title = Cet envoi vient d’un autre site
fault-cross-site-what = Le formulaire ne venait pas de ce portail : rien n’a été modifié.
fault-cross-site-next = Ouvrez vous-même le portail et faites-le là.
fault-bad-form-title = Le formulaire est arrivé incomplet
fault-bad-form-what = Il en manquait une partie : rien n’a été modifié.
fault-bad-form-next = Revenez en arrière, rechargez la page et renvoyez le formulaire.
fault-too-large-title = C’est trop à la fois
fault-too-large-what = Le formulaire dépasse la taille acceptée : rien n’a été modifié.
fault-too-large-next = Revenez en arrière et raccourcissez votre texte.
fault-changed-title = Cela a changé entre-temps
fault-changed-what = Quelqu’un d’autre, ou une autre de vos fenêtres, a été plus rapide. Rien n’a été modifié.
fault-changed-next = Revenez en arrière et rechargez la page pour voir où l’on en est.
fault-throttled-title = Trop d’essais
fault-throttled-what = Pour décourager les curieux, le portail fait une pause ici.
fault-throttled-next = Attendez quelques minutes, puis réessayez.
fault-broken-title = Une panne de notre côté
fault-broken-what = Votre demande n’a pas pu être traitée. La panne a été notée pour les responsables du portail.
fault-broken-next = Réessayez dans un instant. Si elle persiste, donnez au support le numéro ci-dessous.
fault-unavailable-title = Le portail est occupé
fault-unavailable-what = Il ne peut pas répondre pour le moment.
fault-unavailable-next = Réessayez dans quelques secondes.
fault-full-title = Le disque du portail est plein
fault-full-what = Rien de nouveau ne peut être enregistré pour le moment ; cette demande ne l’a pas été.
fault-full-next = Réessayez plus tard. Consulter, se connecter, arrêter une session et retirer le consentement restent possibles.
fault-stale-link-title = Ce lien n’est plus valable
fault-stale-link-what = Il a déjà servi, il a expiré, ou un e-mail plus récent l’a remplacé.
fault-stale-link-next = Prenez l’e-mail le plus récent ou demandez-en un autre.
fault-request = Numéro de cette demande :
fault-home = Vers l’accueil

skip-to-content = Aller au contenu
navigation = Navigation
account-menu = Compte
sign-out = Se déconnecter
language = Langue
theme = Apparence
theme-system = Comme le système
theme-light = Clair
theme-dark = Sombre
copy = Copier
copied = Copié
optional = facultatif
label-before = { $label } :
form-refused = À corriger d’abord :
role-administrator = Administrateur
role-supervisor = Superviseur
role-technician = Technicien
role-basic = Consultation
nav-home = Accueil
nav-devices = Appareils
nav-my-devices = Mes appareils
nav-add-device = Ajouter
nav-sessions = Sessions
nav-requests = Demandes
nav-history = Historique
nav-my-data = Mes données
nav-inventory = Inventaire
nav-quarantine = Quarantaine
nav-mailbox = Boîte aux lettres
nav-audit = Audit
