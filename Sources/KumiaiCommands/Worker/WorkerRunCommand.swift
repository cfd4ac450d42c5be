import ArgumentParser
import Coordinator
import LinearAlgebra
import Worker

struct WorkerRunCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run this site's worker until Ctrl-C or SIGTERM.",
        discussion: """
            After a restart, even after kill -9, it continues where it stopped. SIGHUP reopens the log file \
            (--log-file) and reloads the certificates. Log lines that cannot be written are counted, and the log \
            reports their number when it can be written again.
            """
    )

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @OptionGroup var log: LogOptions

    func execute() async throws {
        Signals.ignoreHangUp()
        let log = try log.open("worker")
        let logger = log.logger
        let core = BLASCore.current
        logger.info("linear algebra", metadata: ["openblas_core": "\(core.used)"])
        if let wanted = core.wanted {
            logger.warning(
                "OpenBLAS uses slow kernels",
                metadata: ["used": "\(core.used)", "wanted": "\(wanted)", "hint": "kumiai worker doctor"]
            )
        }
        try await log.explainingEnd {
            let service = try WorkerFile.naming(config) {
                try WorkerService(try WorkerFile.load(config), logger: logger, clock: systemTime)
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
