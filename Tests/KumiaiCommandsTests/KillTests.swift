import Blobs
import Foundation
import TestKit
import Testing

/// SIGKILL at random moments, on both sides, many times in one campaign.
@Suite(.serialized) struct KillTests {
    /// The campaign's result is bit for bit that of an undisturbed run.
    @Test func fiftyKillsDoNotChangeABitOfTheRelease() throws {
        let undisturbed = try Consortium(sites: 3, rounds: 10, localSteps: 60, quorum: 3)
        try finish(undisturbed, kills: 0)
        let disturbed = try Consortium(sites: 3, rounds: 10, localSteps: 60, quorum: 3)
        try finish(disturbed, kills: 55)
        #expect(try disturbed.releaseDigest() == undisturbed.releaseDigest())
        for site in 0..<3 { try checkLog(disturbed.log(disturbed.directoryName(site))) }
    }

    /// The adapter beside the model, and the values that top-k left out of the last update, survive as well.
    @Test func killsDoNotChangeABitOfWhatAdaptersAndTopKLead() throws {
        let digests = try [0, 15].map { kills in
            let consortium = try Consortium(
                sites: 3,
                rounds: 5,
                localSteps: 60,
                quorum: 3,
                learning: ["--lora-rank", "4", "--compression", "topk"]
            )
            try finish(consortium, kills: kills, rounds: 5)
            return try consortium.releaseDigest()
        }
        #expect(digests[0] == digests[1])
    }

    @Test func aTrainingThatWasKilledGoesOnFromItsSnapshot() throws {
        // Undisturbed; killed, with a snapshot every second; stopped gracefully, long before the first snapshot is due.
        let digests = try [nil, SIGKILL, SIGTERM].map { signal in
            let consortium = try Consortium(sites: 1, rounds: 1, localSteps: 1000)
            if signal == SIGKILL {
                try consortium.edit("acme-osaka/worker.toml", "snapshot_seconds = 60", "snapshot_seconds = 1")
            }
            let coordinator = try consortium.startCoordinator()
            try consortium.openCampaign()
            var worker = try consortium.startWorker(0)
            if let signal {
                let snapshot = consortium.path("acme-osaka/data/training.snapshot")
                #expect(
                    consortium.wait {
                        signal == SIGKILL
                            ? FileManager.default.fileExists(atPath: snapshot) : consortium.siteProgress > 0
                    }
                )
                kill(worker.processIdentifier, signal)
                worker.waitUntilExit()
                #expect(FileManager.default.fileExists(atPath: snapshot))
                worker = try consortium.startWorker(0)
            }
            try #require(consortium.waitForEnd(seconds: 120), "\(consortium.log("acme-osaka"))")
            worker.waitUntilExit()
            if signal != nil { #expect(consortium.log("acme-osaka").contains("training resumes from its snapshot")) }
            #expect(try consortium.finish(coordinator).status == 0)
            return try consortium.releaseDigest()
        }
        #expect(Set(digests).count == 1)
    }

    private func finish(_ consortium: Consortium, kills: Int, rounds: Int = 10) throws {
        for site in 0..<3 {
            try consortium.edit(
                "\(consortium.directoryName(site))/worker.toml",
                "snapshot_seconds = 60",
                "snapshot_seconds = 1"
            )
        }
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        var workers = try (0..<3).map(consortium.startWorker)
        var random = SystemRandomNumberGenerator()
        var done = 0
        while done < kills {
            // If the campaign is ahead of the kills, the kills come faster, so that on any machine all are done before
            // it ends.
            let isLate = receipts(consortium).count * kills > done * (3 * rounds - 6)
            usleep(UInt32.random(in: 10_000...(isLate ? 90_000 : 900_000), using: &random))
            let victim = Int.random(in: 0..<4, using: &random)
            if victim == 3 {
                kill(coordinator.processIdentifier, SIGKILL)
                coordinator.waitUntilExit()
                coordinator = try consortium.startCoordinator()
            } else {
                // A worker whose campaign has ended has exited already; this does not count as a kill.
                guard workers[victim].isRunning else { break }
                kill(workers[victim].processIdentifier, SIGKILL)
                workers[victim].waitUntilExit()
                workers[victim] = try consortium.startWorker(victim)
            }
            done += 1
        }
        #expect(done == kills, "only \(done) kills before the campaign ended")
        try #require(consortium.waitForEnd(seconds: 240), "\(consortium.log("coordinator"))")
        for worker in workers { worker.waitUntilExit() }
        #expect(consortium.campaign["phase"] as? String == "completed")
        #expect(consortium.campaign["updates_accepted"] as? Int == 3 * rounds)
        #expect(try consortium.finish(coordinator).status == 0)
        #expect(receipts(consortium).count == 3 * rounds)
        let witnesses = (0..<3).flatMap {
            ["--witness", consortium.path("\(consortium.directoryName($0))/data/receipts")]
        }
        #expect(
            try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority] + witnesses)
                .status == 0
        )
    }

    /// The names of all receipts that sites have by now.
    private func receipts(_ consortium: Consortium) -> [String] {
        (0..<3).flatMap { SystemDisk().names(in: consortium.path("\(consortium.directoryName($0))/data/receipts")) }
    }

    /// A round whose training was complete is not trained again; training resumes from a snapshot.
    private func checkLog(_ log: String) throws {
        var finished: Set<String> = []
        for line in log.split(separator: "\n") {
            guard let round = line.firstMatch(of: /round=(\d+)/)?.1 else { continue }
            if line.contains("uploading") { finished.insert(String(round)) }
            if line.contains("training round=") || line.contains(" training ") {
                #expect(!finished.contains(String(round)), "\(line)")
            }
        }
        #expect(finished.count == 10)
    }
}
