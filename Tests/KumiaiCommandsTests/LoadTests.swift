import Foundation
import NIOPosix
import TestKit
import Testing
import Worker

/// Many sites at once: simulated training, real TLS, a real coordinator.
@Suite(.serialized) struct LoadTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func aThousandSitesCompleteRounds() async throws {
        try await load(sites: 1000, bytes: 16 << 10, rounds: 2, residentLimit: 256)
    }

    @Test func twoHundredSitesWithTenMegabytesCompleteARound() async throws {
        // The updates together are 2,000 MiB.
        try await load(sites: 200, bytes: 10 << 20, rounds: 1, residentLimit: 200)
    }

    /// `residentLimit`: the most memory that the coordinator may use, in MiB.
    private func load(sites: Int, bytes: Int, rounds: Int, residentLimit: Int) async throws {
        Shell.raiseDescriptorLimit()
        let names = (0..<sites).map { "member\($0 % 20)/site\($0)" }
        let consortium = try Consortium(
            names: names,
            rounds: rounds,
            baseModel: try Consortium.model(bytes: bytes, in: directory)
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = NIOThreadPool(numberOfThreads: 2)
        workers.start()
        let all = try (0..<sites).map {
            try SyntheticSite(
                consortium.workerConfiguration(named: names[$0]),
                value: Float($0 + 1) * 1e-8,
                workers: workers
            )
        }
        let began = Date()
        for site in all { site.start() }
        var most = (resident: 0, descriptors: 0)
        let ended = consortium.wait(seconds: 200) {
            let usage = Shell.usage(of: coordinator.processIdentifier)
            most = (max(most.resident, usage.resident), max(most.descriptors, usage.descriptors))
            usleep(200_000)
            // Do not start a process meanwhile: with more than a thousand open descriptors, Foundation's `Process`
            // reads past the end of its list of descriptors.
            return consortium.log("coordinator").contains("campaign ended")
        }
        let seconds = Date().timeIntervalSince(began)
        print(
            "load: \(sites) sites of \(bytes) bytes, \(rounds) rounds in \(String(format: "%.1f", seconds)) s; "
                + "the coordinator took "
                + "\(most.resident) MiB and \(most.descriptors) descriptors"
        )
        #expect(ended, "\(consortium.log("coordinator").suffix(2000))")
        #expect(most.resident < residentLimit)
        await withTaskGroup(of: Void.self) { group in
            for site in all { group.addTask { await site.stop() } }
        }
        #expect(consortium.campaign["updates_accepted"] as? Int == sites * rounds)
        #expect(consortium.campaign["updates_refused"] as? Int == 0)
        try await workers.shutdownGracefully()
        #expect(consortium.stop(coordinator) == 0)
    }
}
