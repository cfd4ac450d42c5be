import ArgumentParser

struct PKIGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pki",
        abstract: "Make, renew, revoke and show certificates.",
        discussion: """
            Every participant has one certificate with one SPIFFE URI:
              member/M/site/S, operator/O, auditor/A or coordinator/C of a consortium.

            Examples:
              kumiai pki ca --consortium robots.example --out pki
              kumiai pki issue coordinator/main --ca pki --out coordinator
              kumiai pki request member/acme/site/osaka --out osaka        # at the factory
              kumiai pki issue member/acme/site/osaka --ca pki \\
                --request osaka/request.pem --out osaka
              kumiai pki renew osaka --ca pki               # same key, later expiry
              kumiai pki revoke osaka --ca pki
              kumiai pki show osaka/certificate.pem
            """,
        subcommands: [
            PKIAuthorityCommand.self, PKIRequestCommand.self, PKIIssueCommand.self, PKIRenewCommand.self,
            PKIRevokeCommand.self, PKIEndorseCommand.self,
            PKIShowCommand.self,
        ]
    )
}
