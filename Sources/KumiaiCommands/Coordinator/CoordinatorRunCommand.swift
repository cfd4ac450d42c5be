import ArgumentParser
import Coordinator

struct CoordinatorRunCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the coordinator until Ctrl-C or SIGTERM.",
        discussion: """
            After a restart, even after kill -9, it continues where it stopped. SIGHUP reopens the log file \
            (--log-file) and reloads the certificates. Log lines that cannot be written are counted, and the log \
            reports their number when it can be written again.
            """
    )

    @Option(name: .shortAndLong, help: CoordinatorFile.help, completion: .file(extensions: ["toml"]))
    var config = CoordinatorFile.defaultPath

    @OptionGroup var log: LogOptions

    func execute() async throws {
        Signals.ignoreHangUp()
        let log = try log.open("coordinator")
        try await log.explainingEnd {
            let service = try CoordinatorFile.naming(config) {
                try CoordinatorService(try CoordinatorFile.load(config), logger: log.logger)
            }
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
