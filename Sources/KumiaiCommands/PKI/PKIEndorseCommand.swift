import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity
import Wire

struct PKIEndorseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "endorse",
        abstract: "Let the old CA and a new one sign that the new one takes its place.",
        discussion: """
            Writes a file for `kumiai coordinator rotate-ca`. Certificates under the old CA hold for so many days \
            more; issue new ones under the new CA meanwhile, and put both CA certificates into everybody's ca.pem.

            Example:
              kumiai pki ca --consortium robots.example --out pki-2027
              kumiai pki endorse pki-2027 --ca pki --out rotation
            """
    )

    @Argument(help: "The new CA's directory, with ca.pem and ca.key.", completion: .directory)
    var new: String

    @Option(help: "The old CA's directory.", completion: .directory)
    var ca = "pki"

    @Option(help: "The consortium's name; by default that of the new CA's certificate.")
    var consortium: String?

    @Option(help: "Days for which certificates under the old CA hold.")
    var days = 30

    @Option(help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var out: String

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let file: String
        let consortium: String
        let former: String
        let new: String
        let formerHoldsUntil: String
    }

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days is \(days), expected 1 to 3650") }
    }

    func execute() async throws {
        let former = try PKIFiles(directory: ca).loadAuthority(), next = try PKIFiles(directory: new).loadAuthority()
        guard former.certificate.digest != next.certificate.digest else {
            throw UsageError(
                "\(new) and \(ca) hold the same CA: nothing would change",
                hint: "make the new one with kumiai pki ca"
            )
        }
        let suffix = " certificate authority"
        let common = next.certificate.subject.components(separatedBy: "CN = ").last ?? ""
        guard let consortium = consortium ?? (common.hasSuffix(suffix) ? String(common.dropLast(suffix.count)) : nil)
        else {
            throw UsageError("the new CA's certificate names no consortium", hint: "name it with --consortium")
        }
        let end = systemTime().adding(seconds: days * 86_400)
        let rotation = try AuthorityRotation.make(
            consortium: consortium,
            former: former,
            new: next,
            formerEnds: end,
            by: ""
        )
        try IdentityFile.create(rotation.wireBytes, at: out, mode: 0o644)
        if json.isOn {
            return try Report(
                file: out,
                consortium: consortium,
                former: former.certificate.digest.hex,
                new: next.certificate.digest.hex,
                formerHoldsUntil: Format.time(end)
            ).printJSON()
        }
        Terminal.print(
            """
            wrote \(out): \(next.certificate.digest.short) takes the place of \(former.certificate.digest.short), \
            whose certificates hold until \(Format.time(end))
            """
        )
        Terminal.print(
            "next: stop the coordinator, then: kumiai coordinator rotate-ca \(out.shellQuoted) --config coordinator.toml"
        )
    }
}
