import ArgumentParser
import Coordinator
import LinearAlgebra
import Worker

struct WorkerRunCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Take part in campaigns until Ctrl-C or SIGTERM.",
        discussion: "Started again after any end, also kill -9, it goes on where it was.")

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @OptionGroup var log: LogOptions

    func execute() async throws {
        let logger = log.logger("worker")
        let core = BLASCore.current
        logger.info("linear algebra", metadata: ["openblas_core": "\(core.used)"])
        if let wanted = core.wanted {
            logger.warning("OpenBLAS uses slow kernels", metadata: ["used": "\(core.used)", "wanted": "\(wanted)", "hint": "kumiai worker doctor"])
        }
        let service = try WorkerService(try WorkerFile.load(config), logger: logger, clock: systemTime)
        let signals = Signals { await service.stop() }
        try await service.run()
        withExtendedLifetime(signals) {}
    }
}
