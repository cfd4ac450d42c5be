import Coordinator
import Federation
import Foundation
import Logging
import TestKit
import Testing
import Worker

@testable import KumiaiCommands

/// The states of a service (new, running, stopping, stopped), with calls in any order.
@Suite(.serialized) struct ServiceLifecycleTests {
    @Test func aWorkerThatIsStoppedBeforeItRunsNeverBegins() async throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        let site = try SyntheticSite(consortium.workerConfiguration(0))
        await site.service.stop()
        try await site.service.run()
        #expect(!site.log.contains("worker starts"))
    }

    @Test func aCoordinatorThatIsStoppedBeforeItRunsNeverBegins() async throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        let log = LogLines()
        let configuration = try CoordinatorFile.load(consortium.path("coordinator/coordinator.toml"))
        func stopped() async throws {
            let service = try CoordinatorService(configuration, logger: Logger(label: "coordinator") { _ in log })
            await service.stop()
            try await service.run { _ in Issue.record("it listens") }
            await service.stop()
        }
        try await stopped()
        #expect(log.all.isEmpty)
        // It leaves nothing behind: another service starts on the same directory.
        let process = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        #expect(consortium.stop(process) == 0)
    }

    @Test func aStopWhileSitesWorkSealsAllThatWasDecided() async throws {
        let consortium = try Consortium(sites: 2, rounds: 50)
        let log = LogLines()
        let service = try CoordinatorService(
            try CoordinatorFile.load(consortium.path("coordinator/coordinator.toml")),
            logger: Logger(label: "coordinator") { _ in log }
        )
        let run = Task { try await service.run() }
        #expect(consortium.wait { log.contains("listening") })
        try consortium.openCampaign()
        let sites = try (0..<2).map { try SyntheticSite(consortium.workerConfiguration($0)) }
        for site in sites { site.start() }
        #expect(consortium.wait(seconds: 60) { log.contains("round committed") })
        await service.stop()
        try await run.value
        for site in sites { await site.stop() }
        // The seal covers all entries, and every receipt's entry is in the ledger.
        let audit = try consortium.attempt(["audit", "verify", consortium.data])
        #expect(audit.status == 0, "\(audit)")
    }
}
