import ArgumentParser
import Coordinator

struct CoordinatorRunCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Serve the consortium until Ctrl-C or SIGTERM.",
        discussion: """
            Started again after any end, also kill -9, it goes on where it was. SIGHUP reopens the file of --log-file \
            and takes certificates from their files anew. \
            Log lines that cannot be written are counted, and the log says how many as soon as it can be written again.
            """
    )

    @Option(name: .shortAndLong, help: CoordinatorFile.help, completion: .file(extensions: ["toml"]))
    var config = CoordinatorFile.defaultPath

    @OptionGroup var log: LogOptions

    func execute() async throws {
        Signals.ignoreHangUp()
        let log = try log.open("coordinator")
        try await log.explainingEnd {
            let service = try CoordinatorService(try CoordinatorFile.load(config), logger: log.logger)
            let signals = Signals {
                await service.stop()
            } reload: {
                log.reopen()
                await service.reload()
            }
            try await service.run()
            withExtendedLifetime(signals) {}
        }
    }
}
