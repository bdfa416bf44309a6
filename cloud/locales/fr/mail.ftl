### E-mails.

mail-hello = Bonjour,
mail-hello-name = Bonjour { $name },
mail-or-copy = Si le bouton ne réagit pas, copiez cette adresse dans votre navigateur :
mail-life = Le lien est valable { $life } et une seule fois.
mail-sender = Envoyé par { $sender }. Des questions ? Demandez à votre installateur ou répondez à cet e-mail.
mail-login = Vous vous connectez avec
mail-nothing-to-do = Vous n’avez rien à faire.
mail-why-sign-up = Vous recevez cet e-mail parce que cette adresse a servi à une inscription d’installateur.
mail-why-forgotten = Vous recevez cet e-mail parce qu’un nouveau mot de passe a été demandé pour cette adresse.
mail-why-registered = Vous recevez cet e-mail parce qu’un installateur a indiqué cette adresse pour un appareil.
mail-why-confirmed = Vous recevez cet e-mail parce que vous avez confirmé un appareil.
mail-why-your-device = Vous recevez cet e-mail parce que votre entreprise a enregistré l’appareil.
mail-why-ask = Vous recevez cet e-mail parce que vous avez choisi d’être consulté avant chaque session.
mail-why-released = Vous recevez cet e-mail parce que l’appareil a été rendu depuis votre compte.
mail-why-take-over = Vous recevez ce mail parce que { $customer } a saisi cette adresse pour son appareil.
mail-why-handed-over = Vous recevez ce mail parce que c’est votre appareil.

mail-confirm-email-subject = Confirmez votre adresse e-mail
mail-confirm-email-what = Quelqu’un, sans doute vous, a inscrit { $company } comme installateur avec cette adresse. Confirmez-la, choisissez votre mot de passe, et votre compte est prêt.
mail-confirm-email-nothing = Sans action de votre part, aucun compte n’est créé. Si ce n’était pas vous, ignorez cet e-mail.
mail-account-exists-subject = Vous avez déjà un compte
mail-account-exists-what = Quelqu’un, sans doute vous, s’est inscrit à nouveau avec cette adresse. Elle a déjà un compte : rien n’a été modifié.
mail-account-exists-forgotten = Connectez-vous avec celui-ci. Si vous avez oublié le mot de passe, demandez-en un nouveau sur place.
mail-account-exists-nothing = Si ce n’était pas vous, ignorez cet e-mail.
mail-add-organisation-subject = Ajoutez { $company } à votre compte
mail-add-organisation-what = Quelqu’un, sans doute vous, a inscrit { $company } comme installateur avec cette adresse. Elle a déjà un compte : confirmez avec son mot de passe et { $company } y sera ajouté.
mail-add-organisation-nothing = Sans action de votre part, votre compte reste tel quel. Si ce n’était pas vous, ignorez cet e-mail.
mail-set-password-subject = Définissez un nouveau mot de passe
mail-set-password-what = Suivez le lien pour choisir un nouveau mot de passe.
mail-set-password-nothing = Sans action de votre part, l’actuel reste valable. Si ce n’était pas vous, ignorez cet e-mail.
mail-welcome-subject = Votre accès
mail-welcome-what = { $installer } a enregistré un appareil pour vous : un compte vous a donc été créé.
mail-welcome-next = Choisissez d’abord un mot de passe. Un second e-mail contient le lien vers l’appareil.
mail-welcome-nothing = Sans action de votre part, personne ne peut se connecter avec cette adresse et rien n’est activé.

mail-activation-subject = Confirmez votre { $product } { $name }
mail-activation-what = { $installer } a enregistré { $name } pour vous. Confirmez qu’il est à vous, vérifiez vos données et choisissez qui peut y entrer à distance.
mail-activation-next = Rien n’est actif tant que vous ne vous êtes pas connecté et n’avez pas confirmé.
mail-activation-button = Voir et confirmer
mail-activation-nothing = Sans action de votre part, l’appareil n’est pas activé. S’il vous est inconnu, ignorez cet e-mail.
mail-activated-customer-subject = { $name } est actif
mail-activated-customer-what = Vous avez confirmé { $name }. L’appareil le sait et l’affiche sur sa page locale.
mail-activated-customer-nothing = Si ce n’était pas vous, ouvrez la page de l’appareil et rendez-le, puis définissez un nouveau mot de passe.
mail-doubled-subject = { $name } semble être à deux endroits
mail-doubled-what = Deux machines se connectent en tant que { $name } et se déconnectent l’une l’autre : les deux ont sa clé, comme lorsqu’un disque ou une sauvegarde a été copié dans un autre appareil.
mail-doubled-next = Trouvez laquelle est la bonne, éteignez l’autre et réinitialisez-la. Si vous ne connaissez pas l’autre, demandez au fabricant de révoquer les certificats de l’appareil.
mail-doubled-nothing = Sans action de votre part, aucune des deux ne reste connectée, et qui possède l’autre peut parler au nom de cet appareil.
mail-activated-installer-subject = { $name } est confirmé
mail-activated-installer-what = Le client a confirmé { $name }. L’appareil est actif maintenant.
mail-session-subject = { $organisation } demande à entrer dans { $name }
mail-session-what = { $technician }, de { $organisation }, demande à entrer dans { $name } pendant { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}.
mail-session-reason = Motif indiqué
mail-session-button = Autoriser ou refuser
mail-session-nothing = Sans action de votre part, personne n’entre.
mail-extension-subject = { $organisation } demande à prolonger la session avec { $name }
mail-extension-what = { $technician }, de { $organisation }, a une session ouverte avec { $name } et demande { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} de plus.
mail-extension-button = Prolonger ou non
mail-extension-nothing = Sans action de votre part, la session finit comme prévu.
mail-released-subject = { $name } est rendu
mail-released-customer-what = { $name } est rendu. Vous ne l’atteignez plus et son certificat n’est plus valable.
mail-released-customer-nothing = Si ce n’était pas vous, définissez un nouveau mot de passe et prévenez votre installateur.
mail-released-installer-what = Le propriétaire a rendu { $name }. Quiconque l’a en main peut le faire enregistrer à nouveau.
mail-take-over-subject = { $customer } vous invite à reprendre { $name }
mail-take-over-what = { $customer } souhaite que vous soyez désormais l’installateur de { $name }.
mail-take-over-next = Rien ne change tant que vous ne vous êtes pas connecté comme installateur et ne l’avez pas repris. Sans compte, inscrivez-vous d’abord au portail, puis revenez à ce mail.
mail-take-over-button = Voir et reprendre
mail-take-over-nothing = Sans action de votre part, tout reste comme avant. Si vous ne connaissez pas la personne qui demande, ignorez ce mail.
mail-handed-over-customer-subject = { $installer } est maintenant l’installateur de { $name }
mail-handed-over-customer-what = { $installer } a repris { $name }. L’installateur précédent n’y a plus aucun droit, et ses sessions sont finies.
mail-handed-over-customer-next = Chaque session vous est désormais demandée. Si vous faites confiance au nouvel installateur à tout moment, dites-le sur la page de l’appareil.
mail-handed-over-customer-nothing = Si ce n’est pas l’installateur que vous vouliez, choisissez aussitôt « jamais » sur la page de l’appareil, puis changez encore d’installateur.
mail-handed-over-button = Vers l’appareil
mail-handed-over-installer-subject = { $name } a un autre installateur
mail-handed-over-installer-what = Le propriétaire de { $name } a changé d’installateur. Vous ne voyez plus l’appareil, et vos sessions avec lui sont finies ; vos sessions passées restent dans votre historique.
mail-key-pinned-subject = Une clé d’accès est épinglée sur { $name }
mail-key-pinned-what = Quelqu’un devant { $name } y a épinglé une clé d’accès. Désormais personne n’entre sans la signature de cette clé, une règle qu’elle a signée, ou une pression sur l’appareil.
mail-key-pinned-nothing = Si ce n’était aucun de vous, quelqu’un d’autre est devant votre appareil : retirez la clé là-bas, sur la page de l’appareil lui-même.
mail-key-gone-subject = La clé d’accès sur { $name } n’y est plus
mail-key-released-what = La clé d’accès épinglée sur { $name } a dit elle-même que l’appareil doit l’oublier.
mail-key-removed-what = Quelqu’un devant { $name } a retiré la clé d’accès qui y était épinglée.
mail-key-gone-next = Désormais la parole du portail laisse à nouveau entrer les techniciens, selon la règle sur la page de l’appareil.
mail-key-gone-nothing = Si ce n’était aucun de vous, choisissez « jamais » sur la page de l’appareil, et allez voir l’appareil.
mail-key-button = Voir la clé
mail-to-your-devices = Vers vos appareils

mail-second-factor-added-subject = Votre compte a un nouveau second facteur
mail-second-factor-added-what = Une clé d’accès ou une application d’authentification a été ajoutée à votre compte. Elle est demandée désormais quand vous vous connectez.
mail-second-factor-removed-subject = Un second facteur a été retiré de votre compte
mail-second-factor-removed-what = Une clé d’accès ou une application d’authentification a été retirée de votre compte.
mail-recovery-codes-subject = Votre compte a de nouveaux codes de secours
mail-recovery-codes-what = De nouveaux codes de secours ont été faits pour votre compte. Ceux d’avant ne valent plus.
mail-second-factor-nothing = Si c’était vous, il n’y a rien à faire. Sinon, choisissez tout de suite un nouveau mot de passe et prévenez qui tient le portail.
mail-why-account = Vous recevez ce courriel parce que quelque chose a changé dans la façon dont vous vous connectez.

mail-emergency-subject = Des sessions à distance ont été arrêtées d’urgence
mail-emergency-what = Le fabricant a arrêté des sessions à distance qui vous concernent. Ce qui était ouvert est fini, et personne n’entre jusqu’à ce que l’arrêt soit levé.
mail-emergency-button = Voir les sessions
mail-emergency-nothing = Vous n’avez rien à faire.
mail-why-emergency = Vous recevez ce courriel parce que vous dirigez une organisation dont des sessions ont été arrêtées.

mail-break-glass-subject = Bris de glace : { $technician } est entré dans { $name } en urgence
mail-break-glass-what = { $technician } ({ $organisation }) a ouvert une session sur { $name } sans demander, pour { $minutes } minutes au plus. Vous l’aviez accepté pour les urgences.
mail-break-glass-what-installer = { $technician } ({ $organisation }) a ouvert une session sur { $name } sans demander au client, pour { $minutes } minutes au plus, comme le client l’avait accepté pour les urgences. Le client en est averti.
mail-break-glass-button = La voir, ou l’arrêter
mail-break-glass-nothing = Si ce n’est pas une urgence pour vous, arrêtez la session d’une pression et retirez votre accord sur la page de l’appareil.
