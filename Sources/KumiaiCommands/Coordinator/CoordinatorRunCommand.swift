import ArgumentParser
import Coordinator

struct CoordinatorRunCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve the consortium until Ctrl-C or SIGTERM.",
        discussion: "Started again after any end, also kill -9, it goes on where it was.")

    @Option(name: .shortAndLong, help: CoordinatorFile.help, completion: .file(extensions: ["toml"]))
    var config = CoordinatorFile.defaultPath

    @OptionGroup var log: LogOptions

    func execute() async throws {
        let service = try CoordinatorService(try CoordinatorFile.load(config), logger: log.logger("coordinator"))
        let signals = Signals { await service.stop() }
        try await service.run()
        withExtendedLifetime(signals) {}
    }
}
