### Appareils, enregistrement, activation, sessions et ce qui s’est passé.

life-manufactured = Fabriqué
life-enrolled = Enrôlé
life-registered = Enregistré
life-active = Actif
life-released = Rendu
life-retired = Retiré
state-manufactured = Fabriqué, pas encore enrôlé.
state-enrolled = Enrôlé depuis le { $date }, pas enregistré.
state-registered = Enregistré le { $date }, en attente du client.
state-active = Actif depuis le { $date }.
state-released = Rendu le { $date }.
state-retired = Retiré le { $date }.
state-online = En ligne.
state-offline-since = Hors ligne, vu { $ago }.
state-never-seen = Pas encore vu.
state-doubled = Deux machines se connectent avec sa clé : trouvez l’autre et réinitialisez-la.
state-consent-to-customer-ask = Votre installateur peut entrer quand vous l’autorisez.
state-consent-to-customer-always = Votre installateur peut entrer à tout moment.
state-consent-to-customer-never = Personne ne peut entrer.
state-consent-to-installer-ask = Le client est consulté avant chaque session.
state-consent-to-installer-always = Le client autorise les sessions à tout moment.
state-consent-to-installer-never = Le client n’autorise aucune session.
presence-online = En ligne
presence-offline = Hors ligne, vu { $ago }
presence-never = Pas encore vu

column-device = Appareil
column-state = État
column-presence = Présence
column-customer = Client
column-installer = Installateur
column-services = Services
column-presets = À choisir
kind-programming = Programmation
kind-web = Page web
kind-video = Vidéo
column-ticket = Numéro de dossier
column-networks = Réseaux
column-calls = Appelle le technicien
column-technician = Technicien
column-when = Quand
column-lasted = Durée
column-bytes = Données
column-end = Fin par
column-subject = Objet
column-recipient = À

search-label = Chercher un appareil
search-hint = Nom, code ID, MAC, client
search-button = Chercher
filter-label = Filtrer par état
filter-all = Tous
search-none-title = Aucun résultat
search-none-what = Aucun appareil ne répond à cette recherche et à ce filtre. Essayez une partie du nom ou les quatre derniers caractères du code ID.
search-clear = Voir tous les appareils
more-devices = Plus d’appareils
older = Plus ancien

home-hello = Bonjour { $name }
home-recent = Derniers appareils
home-all = Tous les appareils
home-quiet = Rien n’attend votre décision.
home-live = Une session est ouverte en ce moment.
home-asked = Quelqu’un attend votre réponse.
home-quarantine = Du matériel absent de l’inventaire a demandé un certificat.
home-quarantine-next = Voir la quarantaine
figure-devices = { $count ->
    [one] appareil
   *[other] appareils
}
figure-waiting = { $count ->
    [one] attend son client
   *[other] attendent leur client
}
figure-offline = actifs mais hors ligne
figure-live = { $count ->
    [one] session ouverte
   *[other] sessions ouvertes
}
figure-made = { $count ->
    [one] appareil fabriqué
   *[other] appareils fabriqués
}
figure-active = { $count ->
    [one] actif chez un client
   *[other] actifs chez des clients
}
figure-online = en ligne maintenant
figure-quarantined = en quarantaine

add-device-action = Ajouter un appareil
devices-none-title = Pas encore d’appareil
devices-none-what = Ajoutez le premier d’après son étiquette. Ayez sous la main le code ID, l’adresse MAC et l’adresse e-mail du client.
my-devices-none-title = Pas encore d’appareil
my-devices-none-what = Quand un installateur enregistre un appareil pour vous, vous recevez un e-mail avec un lien. Ouvrez ce lien pour que l’appareil apparaisse ici.

steps-label = Étapes
step-label = Étiquette
step-customer = Client
step-sent = Envoyé
add-device-title = Ajouter un appareil
check-button = Vérifier
check-fits = Le code ID et le MAC vont ensemble : { $product }
add-customer-title = Le client
add-customer-lead = Le lien d’activation partira vers { $email }. Remplissez ce que vous savez ; le client vérifie et corrige. Vous pouvez aussi tout lui laisser.
save-with-button = Enregistrer avec ces données
save-without-button = Enregistrer sans données
save-hint = L’enregistrement envoie les e-mails. Rien n’est actif avant la confirmation du client.
sent-title = Le lien est parti
sent-state = { $name } est enregistré.
sent-what = Le lien d’activation est parti vers { $email } et reste valable jusqu’au { $date }.
sent-next-title = La suite
sent-next-saved = L’enregistrement est fait.
sent-next-customer = Le client ouvre le lien, se connecte, vérifie les données et choisit qui peut entrer.
sent-next-active = L’appareil devient actif et l’affiche sur sa page locale. Vous recevez un e-mail.
to-the-device = Vers l’appareil
add-another = Ajouter un autre appareil
refused-pair = Le code ID et le MAC ne vont pas ensemble, ou l’appareil n’existe pas. Comparez les deux avec l’étiquette.
refused-taken = Cet appareil est déjà enregistré. S’il doit être à vous, son propriétaire doit d’abord le rendre.
refused-retired = Cet appareil est retiré et ne peut plus être enregistré. Demandez un remplacement au fabricant.
refused-web-address-taken = Cette adresse web est prise. Choisissez-en une autre, par exemple { $proposal }.
refused-not-seen = L’appareil ne s’est pas encore annoncé. Branchez-le, attendez qu’il affiche un code et vérifiez à nouveau.
refused-proof = Le code ne convient pas. Relisez-le sur l’appareil ; il reste { $left } essais.
refused-proof-used-up = Trop de codes faux, ou code trop ancien. Faites afficher un nouveau code par l’appareil.
refused-proof-disputed = Plus d’un appareil se présente sous ces noms : le code ne suffit pas. Demandez au fabricant de regarder sa quarantaine.
refused-label-secret-over = Cet appareil a déjà eu un propriétaire : le secret de l’étiquette ne compte plus. Faites afficher un code par l’appareil et saisissez-le.
refused-proof-missing = Saisissez le code sur site affiché par l’appareil, ou le secret de l’étiquette.

link-title = En attente du client
link-sent = Le lien d’activation est parti vers { $email } { $ago }.
link-leaving = Le lien d’activation part vers { $email }.
link-until = Il est valable jusqu’au { $date }.
link-expired = Il a expiré. Renvoyez-le.
link-resend = Renvoyer le lien
link-correct = Corriger l’adresse
link-cancel = Annuler l’enregistrement
correct-title = Corriger l’adresse du client
correct-what = Un nouveau lien part vers l’adresse corrigée. Celui de l’ancien e-mail cesse aussitôt d’être valable.
correct-button = Corriger et envoyer
cancel-title = Annuler l’enregistrement
cancel-question = Annuler l’enregistrement de { $name } ?
cancel-what = Le lien envoyé à { $email } cesse aussitôt d’être valable. L’appareil pourra être enregistré à nouveau, par vous ou par quelqu’un d’autre qui l’a en main.
cancel-button = Annuler l’enregistrement
cancel-keep = Le garder

facts-title = Détails
facts-vendor-title = D’après l’inventaire
fact-product = Produit
fact-serial = Numéro de série
fact-firmware = Micrologiciel
fact-agent = Agent
fact-addresses = Adresses locales
fact-reported = Dernier rapport
fact-network = Réseau
fact-purchased = Acheté le
fact-proof = Preuve d’identité
fact-certificate = Certificat
fact-organisation = Organisation
fact-role = Rôle
fact-created = Compte depuis
fact-sign-ins = Connexions
certificate-until = valable jusqu’au { $date }
proof-factory-secret = secret d’usine
proof-on-site-code = code sur site

confirm-title = Confirmez votre appareil
confirm-question = { $name } est-il à vous ?
confirm-state = { $installer } l’a enregistré pour vous.
confirm-compare = Comparez le code ID avec l’étiquette :
confirm-owner-title = À qui est l’appareil
confirm-owner-another = Un autre foyer ou une autre entreprise
confirm-owner-another-means = Il commence avec vos données ci-dessous et cet appareil.
confirm-data-title = Vos données
confirm-data-hint = Remplies par votre installateur quand il les connaît. Corrigez-les librement ; vous seul et votre installateur les voyez.
confirm-consent-title = Qui peut entrer
confirm-button = Confirmer et activer
consent-heading = Qui peut entrer
consent-title = Votre installateur peut-il entrer à distance dans l’appareil ?
consent-ask = Me demander chaque fois
consent-means-ask = Vous recevez une demande pour chaque session et l’autorisez ou la refusez. Conseillé.
consent-always = Oui, à tout moment
consent-means-always = Les techniciens de votre installateur entrent sans demander. Vous voyez chaque session et pouvez l’arrêter.
consent-never = Non, jamais
consent-means-never = Personne n’entre à distance. Un technicien doit venir chez vous.
consent-ground = Cette règle est tenue par le portail et par l’appareil lui-même. Vous pouvez la changer à tout moment, et chaque session figure dans votre historique.
refused-owner-missing = Choisissez à qui est l’appareil.
refused-organisation-name-missing = Donnez un nom à cet autre foyer ou cette autre entreprise.
refused-consent-missing = Choisissez qui peut entrer.
activated-title = Votre appareil est actif.
activated-name = { $name } est à vous
activated-next-title = Et maintenant
activated-next-device = L’appareil en est informé et l’affiche sur sa page locale.
activated-next-installer = { $installer } reçoit un e-mail annonçant votre confirmation.
activated-next-change = Sur la page de l’appareil, vous pouvez changer qui peut entrer, voir les sessions et les arrêter.

release-heading = Rendre l’appareil
release-short = Quand l’appareil est vendu, retourné ou remplacé, rendez-le ici.
release-open = Rendre cet appareil
release-question = Rendre { $name } ?
release-what = Vous ne l’atteindrez plus, les sessions ouvertes finissent aussitôt et son certificat n’est plus valable. Votre historique reste fermé au prochain propriétaire.
release-after = L’appareil lui-même continue de fonctionner. Quelqu’un qui l’a en main peut le faire enregistrer à nouveau.
release-type = Pour confirmer, saisissez { $name }
release-button = Rendre { $name }
release-keep = Le garder
refused-not-the-name = Saisissez exactement { $name } pour confirmer.
web-address-hint-customer = Le nom sous lequel vous atteignez les pages de l’appareil.

requests-lead = Un technicien veut entrer dans un de vos appareils, ou y rester plus longtemps. Rien ne se passe sans votre autorisation.
requests-none-title = Personne n’attend
requests-none-what = Quand un technicien demande à entrer, la demande paraît ici et vous arrive par e-mail.
to-the-sessions = Vers les sessions
session-waiting = Attend le client
session-waiting-you = Attend votre réponse
session-open = Ouverte
session-refused = Refusée
session-ended = Finie
session-who = { $technician }, { $organisation }
session-until = Ouverte jusqu’au
session-length = Durée
session-no-reason = Aucun motif n’a été indiqué.
session-network-asked = Tout le réseau { $network } est demandé : non seulement cet appareil, mais tout ce qui se trouve dans ce réseau pourra être atteint.
session-call-asked = L’installation pourra appeler l’ordinateur du technicien : tout ce qui, dans { $from }, se connecte au port { $port } de cet appareil y atteindra un programme, tant que dure la session.
session-call = L’installation peut appeler l’ordinateur du technicien : tout ce qui, dans { $from }, se connecte au port { $port } de cet appareil y atteint un programme.
session-network = Cette session couvre tout le réseau { $network } : non seulement cet appareil, mais tout ce qui se trouve dans ce réseau peut être atteint.
session-asked = Demandée
session-allow = Autoriser
session-refuse = Refuser
session-stop = Arrêter
session-more-asked = { $technician } demande { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} de plus.
session-feature-terminal = Avec un terminal : des commandes peuvent être exécutées sur l’appareil même. Ce qui s’y fait est enregistré.
session-feature-files = Avec des fichiers : ils peuvent être copiés depuis et vers les dossiers que l’appareil propose.
session-feature-discovery = Avec une recherche : l’appareil dit ce qu’il trouve sur votre réseau.
session-feature-web = Par un navigateur : les échanges passent par le portail, et qui exploite le portail peut les lire.
session-reason = « { $reason } »
not-longer-longest = Les réglages de l’appareil ne laissent pas durer cette session plus longtemps.
not-longer-off = L’appareil ne la laisse pas durer plus longtemps : l’accès à distance y est coupé.
not-longer-consent = L’appareil ne la laisse pas durer plus longtemps : selon la règle qu’il connaît, personne ne peut entrer.
not-longer-owner = L’appareil ne la laisse pas durer plus longtemps : il a changé de mains.
not-longer-proof = L’appareil ne la laisse pas durer plus longtemps : votre clé y est épinglée et n’a pas signé de fin plus tardive.
not-longer-not-open = L’appareil ne la laisse pas durer plus longtemps : la session n’y est plus ouverte.
not-longer-grant = L’appareil ne la laisse pas durer plus longtemps : il n’accepte pas ce que le serveur a signé.
session-more-declined = Une prolongation a été demandée et n’a pas été accordée.
session-extend = Prolonger de { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}
session-extend-not = Ne pas prolonger
sessions-live = En ce moment
sessions-past = Sessions passées
sessions-none-live = Aucune session ouverte ni en attente.
sessions-none-past = Aucune session jusqu’ici.
sessions-none-installer = Aucune session jusqu’ici. Ouvrez-en une depuis votre ordinateur :
end-technician = Technicien
end-customer = Client
end-device = Arrêt sur l’appareil
end-expired = Temps écoulé
end-idle = Inactivité
end-revoked = Droit retiré
end-relay-lost = Connexion perdue
end-never-joined = Personne n’est venu
end-refused = Refus de l’appareil
end-device-off = Coupé sur l’appareil
end-device-consent = Non autorisé sur l’appareil
end-device-owner = L’appareil a changé de mains
end-device-services = Non proposé par l’appareil
end-device-busy = Appareil occupé
end-device-clock = Trop tard pour l’horloge de l’appareil
end-device-fault = L’appareil n’a pas pu l’ouvrir
end-device-proof = La clé du client ne l’avait pas signée

my-data-person = Personne
my-data-account = Compte
my-data-password = Changer de mot de passe
history-lead = Ce qui est arrivé à vos appareils et à votre compte, le plus récent d’abord.
history-csv = Pour un tableur (CSV)
history-json = Pour un programme (JSON)
history-none = Rien jusqu’ici.

inventory-none-title = L’inventaire est vide
inventory-none-what = Importez des appareils d’un fichier CSV avec code ID, MAC, numéro de série, produit, date d’achat et preuve :
revoke-heading = Certificat
revoke-short = Si sa clé a pu tomber en de mauvaises mains, reprenez le certificat. L’appareil reste à son propriétaire et doit s’enrôler avec une nouvelle clé.
revoke-button = Reprendre le certificat
retire-heading = Retirer
retire-short = Révoque l’appareil pour de bon : matériel détruit, volé ou copié.
retire-open = Retirer cet appareil
retire-question = Retirer { $id } pour de bon ?
retire-what = Son certificat ne se connecte plus, les sessions ouvertes finissent aussitôt, et il ne pourra plus être enrôlé ni enregistré. C’est sans retour.
retire-button = Retirer pour de bon
quarantine-lead = Matériel qui a demandé un certificat et ne peut pas l’avoir. Il ne peut pas se connecter.
quarantine-none-title = La quarantaine est vide
quarantine-none-what = Le matériel inconnu et deux clés pour une même identité paraîtraient ici.
quarantine-unknown = Absent de l’inventaire. Importez-le s’il est à vous.
quarantine-conflict = Une autre clé tient cette identité. L’appareil connecté reste ; trouvez lequel des deux est le vrai.
quarantine-mismatch = Le code ID, le MAC et le numéro de série appartiennent à des appareils différents. Comparez avec l’étiquette.
quarantine-several = Plusieurs clés attendent pour cette identité. Trouvez le véritable appareil et acceptez sa clé.
quarantine-seen = Demandé
quarantine-first = la première fois { $ago }
quarantine-dismiss = Refuser cette clé
quarantine-approve = Accepter cette clé
mailbox-banner = Aucun serveur de messagerie n’est configuré : les e-mails restent ici.
mailbox-banner-next = Quiconque lit cette page peut suivre leurs liens. Renseignez mail.smtp_url pour les envoyer.
mailbox-none = Aucun e-mail jusqu’ici.
mail-to = À { $recipient }
mail-plain = En texte brut
mail-html = Comme dans un logiciel de messagerie
audit-lead = Tout ce qui s’est passé sur ce cloud, le plus récent d’abord.

open-heading = L’ouvrir un moment
open-lead = Quelqu’un est au téléphone ou travaille pour vous aujourd’hui ? Ouvrez l’appareil d’une pression ; ensuite votre règle vaut à nouveau.
open-2 = Ouvrir pour 2 heures
open-24 = Ouvrir pour 24 heures
open-until = Ouvert, sans vous demander, jusqu’au
open-close = Fermer maintenant
hours-heading = « À tout moment » seulement à certaines heures
hours-lead = Cochez les jours et dites les heures. En dehors, on vous demande à chaque fois, et une session que les heures ont ouverte finit avec elles. Sans jour coché, c’est à toute heure.
hours-row = Heures, ligne { $number }
hours-from = De
hours-until = à
hours-zone = Fuseau horaire
day-mon = lun.
day-tue = mar.
day-wed = mer.
day-thu = jeu.
day-fri = ven.
day-sat = sam.
day-sun = dim.
flash-device-opened = L’appareil est ouvert pour un moment. Vous pouvez le fermer quand vous voulez.
flash-device-closed = L’appareil est fermé ; votre règle vaut à nouveau.

session-targets = Ce qui a été ouvert
session-targets-none = Rien encore.
session-target = Cible
target-open = ouvert
target-closed = fermé
target-refused = refusé
session-allow-longer = Autoriser plus que cette fois
session-allow-longer-what = Cette session est autorisée comme demandée, et ce que votre installateur demande dans les heures qui suivent n’attend pas de réponse. Ensuite votre règle vaut à nouveau.
session-allow-2 = Autoriser et ouvrir pour 2 heures
session-allow-24 = Autoriser et ouvrir pour 24 heures
nav-emergency = Arrêt d’urgence
emergency-lead = Met fin aux sessions tout de suite et n’en laisse entrer aucune jusqu’à ce que vous le leviez. Tous les intéressés l’apprennent, avec votre raison.
emergency-everybody = Toutes les sessions de tous
emergency-installer = Toutes les sessions d’un installateur
emergency-device = Toutes les sessions sur un appareil
emergency-installer-of = Sessions de { $installer }
emergency-device-of = Sessions sur l’appareil { $device }
emergency-by = Arrêté par { $name }
emergency-lift = Lever l’arrêt
emergency-stop-title = Arrêter maintenant
emergency-whose = Quelles sessions ?
emergency-reason = Raison
emergency-reason-hint = En une ligne ; clients et installateurs la lisent.
emergency-stop = Arrêter maintenant
refused-emergency-unknown = Il n’y a rien de tel. Vérifiez votre choix.
flash-emergency-stopped = Arrêté. Personne n’y entre jusqu’à ce que vous le leviez.
flash-emergency-lifted = Levé. On peut à nouveau demander des sessions.

break-glass-heading = En cas d’urgence
break-glass-lead = Et si c’est urgent et que vous ne pouvez pas répondre ? Vous pouvez accepter dès maintenant que votre installateur entre alors sans demander, une heure au plus. Vous et lui recevez aussitôt un message avec la raison, et vous l’arrêtez d’une pression.
break-glass-who = Qui peut
break-glass-administrator = Les administrateurs de l’installateur
break-glass-supervisor = Les administrateurs et superviseurs de l’installateur
break-glass-technician = Tous les techniciens de l’installateur
break-glass-agreed-administrator = Vous avez accepté : les administrateurs de l’installateur peuvent entrer en cas d’urgence.
break-glass-agreed-supervisor = Vous avez accepté : les administrateurs et superviseurs de l’installateur peuvent entrer en cas d’urgence.
break-glass-agreed-technician = Vous avez accepté : tous les techniciens de l’installateur peuvent entrer en cas d’urgence.
break-glass-hint = Cela ne passe jamais outre votre règle « Jamais », ni l’interrupteur de l’appareil, ni une clé que vous y avez fixée.
break-glass-agree = Accepter
break-glass-withdraw = Retirer l’accord
break-glass-use = Bris de glace : c’est une urgence
break-glass-use-hint = Vous entrez sans réponse, une heure au plus. Le client et votre organisation reçoivent aussitôt un message avec votre raison.
session-break-glass = Bris de glace
session-break-glass-what = Ouverte en urgence sans demander, comme le client l’avait accepté.
