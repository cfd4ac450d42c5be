import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity
import Wire

struct PKIEndorseCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "endorse",
        abstract: "Sign, with the old and the new CA, that the new CA replaces the old one.",
        discussion: """
            Writes a file for `kumiai coordinator rotate-ca`. Certificates under the old CA stay valid for --days. In \
            that time, issue new certificates under the new CA, and put both CA certificates into every participant's \
            ca.pem.

            Example:
              kumiai pki ca --consortium robots.example --out pki-2027
              kumiai pki endorse pki-2027 --ca pki --out rotation
            """
    )

    @Argument(help: "The new CA's directory, with ca.pem and ca.key.", completion: .directory)
    var new: String

    @Option(help: "The old CA's directory.", completion: .directory)
    var ca = "pki"

    @Option(help: "The consortium's name; default: the name in the new CA's certificate.")
    var consortium: String?

    @Option(help: "For how many more days certificates under the old CA are valid.")
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
        guard (1...3650).contains(days) else { throw ValidationError("--days is \(days); expected 1 to 3650") }
    }

    func execute() async throws {
        let former = try PKIFiles(directory: ca).loadAuthority(), next = try PKIFiles(directory: new).loadAuthority()
        guard former.certificate.digest != next.certificate.digest else {
            throw UsageError(
                "\(new) and \(ca) hold the same CA: nothing would change",
                hint: "make a new CA with kumiai pki ca"
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
            wrote \(out): the CA \(next.certificate.digest.short) replaces the CA \(former.certificate.digest.short), \
            whose certificates are valid until \(Format.time(end))
            """
        )
        Terminal.print(
            "next: stop the coordinator, then: kumiai coordinator rotate-ca \(out.shellQuoted) --config coordinator.toml"
        )
    }
}
