import ArgumentParser

struct AuditInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write an auditor's configuration, for querying the coordinator and fetching models.",
        discussion: """
            An audit itself needs no configuration: it reads a copy, offline. The file is operator.toml, which all \
            commands that connect to the coordinator read; the role in the certificate decides what is permitted.

            Example:
              kumiai audit init bob --coordinator 127.0.0.1:7443
            """
    )

    @Argument(help: "The auditor's directory, with ca.pem, certificate.pem and key.pem.", completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("The coordinator's address.", valueName: "host:port"))
    var coordinator: String

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let configuration: String
        let kept: Bool
        let ignored: [String]
    }

    func execute() async throws {
        let file = try OperatorFile.write(to: directory, coordinator: coordinator)
        if json.isOn { return try Report(configuration: file.path, kept: file.kept, ignored: file.ignored).printJSON() }
        Terminal.print("next: kumiai coordinator status --config \(file.path.shellQuoted)")
    }
}
