import ArgumentParser
import Coordinator
import Federation
import Tensors
import Wire

struct CoordinatorRotateCACommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "rotate-ca",
        abstract: "Record a change of the consortium's certificate authority (CA).",
        discussion: """
            Takes the file that `kumiai pki endorse` wrote, which the old and the new CA signed, and adds it to the \
            ledger of a stopped coordinator. Before the coordinator is started again, ca.pem must contain both CA \
            certificates. Auditors continue to trust only the first CA: the ledger says which CA followed it.

            Example:
              kumiai coordinator rotate-ca rotation --config coordinator/coordinator.toml
            """
    )

    @Argument(help: "The file that kumiai pki endorse wrote.", completion: .file())
    var file: String

    @Option(name: .shortAndLong, help: CoordinatorFile.help, completion: .file(extensions: ["toml"]))
    var config = CoordinatorFile.defaultPath

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let authority: String
        let formerHoldsUntilMs: UInt64
        let entry: UInt64
    }

    func execute() async throws {
        let configuration = try CoordinatorFile.load(config)
        let rotation: AuthorityRotation
        do {
            rotation = try AuthorityRotation(wireBytes: RegularFile.read(file, atMost: WireLimits.entryBytes))
        } catch let error as WireError {
            throw UsageError("\(file) is not a change of the CA: \(error)", hint: "kumiai pki endorse writes one")
        }
        let entry = try CoordinatorFile.naming(config) {
            try AuthorityChange(configuration).record(rotation, at: systemTime())
        }
        if json.isOn {
            return try Report(
                authority: rotation.authorityDigest.hex,
                formerHoldsUntilMs: rotation.formerEnds.milliseconds,
                entry: entry
            ).printJSON()
        }
        Terminal.print("the CA is \(rotation.authorityDigest.short) from now on (ledger entry \(entry))")
        Terminal.print("certificates under the former CA are valid until \(Format.time(rotation.formerEnds))")
        Terminal.print(
            "next: put both CA certificates into \(configuration.authority.shellQuoted), and start the coordinator"
        )
    }
}
