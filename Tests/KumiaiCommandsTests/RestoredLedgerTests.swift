import Foundation
import Identity
import TestKit
import Testing

/// A coordinator whose ledger or CA is not the same as before, with real processes.
@Suite(.serialized) struct RestoredLedgerTests {
    private func copy(_ source: String, to target: String) throws {
        let outcome = try Shell.run(["cp", "-a", source, target])
        #expect(outcome.status == 0, "\(outcome.error)")
    }

    private func committed(_ consortium: Consortium) -> Int { consortium.campaign["committed"] as? Int ?? 0 }
    /// Why the first site is not connected.
    private func absence(_ consortium: Consortium) -> String {
        ((try? consortium.status())?["sites"] as? [[String: Any]])?.first?["absence"] as? String ?? ""
    }
    private func problems(_ consortium: Consortium) -> String {
        ((try? consortium.status())?["troubles"] as? [String] ?? []).joined()
    }

    /// A consortium with two rounds in its backup and more in its ledger; its coordinator has ended.
    private func withBackup() throws -> Consortium {
        let consortium = try Consortium(rounds: 1000)
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        var workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.wait { committed(consortium) >= 2 }, "\(consortium.log("coordinator"))")
        for worker in workers { #expect(consortium.stop(worker) == 0) }
        #expect(consortium.stop(coordinator) == 0)
        try copy(consortium.data, to: consortium.path("backup"))
        coordinator = try consortium.startCoordinator()
        try #require(consortium.wait { committed(consortium) >= 2 })
        let first = committed(consortium)
        workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.wait { committed(consortium) >= first + 2 }, "\(consortium.log("coordinator"))")
        for worker in workers { #expect(consortium.stop(worker) == 0) }
        #expect(consortium.stop(coordinator) == 0)
        return consortium
    }

    private func restore(_ consortium: Consortium) throws {
        try FileManager.default.moveItem(atPath: consortium.data, toPath: consortium.path("lost"))
        try copy(consortium.path("backup"), to: consortium.data)
    }

    private func receipts(_ consortium: Consortium, _ folder: String = "receipts") throws -> [String: Data] {
        let path = consortium.path("acme-osaka/data/\(folder)")
        return try FileManager.default.contentsOfDirectory(atPath: path).reduce(into: [:]) {
            $0[$1] = FileManager.default.contents(atPath: "\(path)/\($1)")
        }
    }

    @Test func aRestoredBackupIsNoticedOnBothSidesAndItsLossIsDeclaredAcceptedAndAudited() throws {
        let consortium = try withBackup()
        try restore(consortium)
        let evidence = try receipts(consortium)
        let coordinator = try consortium.startCoordinator()
        var workers = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait { problems(consortium).contains("an older backup was restored") },
            "\(consortium.log("coordinator"))"
        )
        // The receipts of either site can restore entries.
        for site in ["acme-osaka", "bolt-turin"] {
            #expect(consortium.wait { consortium.log(site).contains("it was restored from a backup, or rewritten") })
        }
        #expect(consortium.wait { absence(consortium).contains("it has seen") }, "\(absence(consortium))")
        let entries = try consortium.status()["ledger_entries"] as? Int
        // Nothing is decided, and no evidence is changed.
        usleep(1_500_000)
        #expect(try consortium.status()["ledger_entries"] as? Int == entries)
        #expect(try receipts(consortium) == evidence)
        #expect(
            try consortium.attempt(
                ["campaign", "stop", "FY2026-FY2027", "--reason", "test"] + consortium.operatorConfig
            ).status != 0
        )

        try consortium.kumiai(["coordinator", "declare-loss", "--reason", "the disk died"] + consortium.operatorConfig)
        for site in ["acme-osaka", "bolt-turin"] {
            #expect(consortium.wait { consortium.log(site).contains("kumiai worker accept-loss") })
        }
        #expect(
            consortium.wait { absence(consortium).contains("it says: the declared loss waits") },
            "\(absence(consortium))"
        )
        for (site, worker) in workers.enumerated() {
            #expect(consortium.stop(worker) == 0)
            let configuration = ["--config", consortium.path("\(consortium.directoryName(site))/worker.toml")]
            let doctor = try consortium.attempt(["worker", "doctor"] + configuration)
            #expect(doctor.status == 1 && doctor.output.contains("once: kumiai worker accept-loss"), "\(doctor.output)")
            let shown = try consortium.kumiai(["worker", "accept-loss"] + configuration)
            #expect(shown.output.contains("the disk died"), "\(shown.output)")
            try consortium.kumiai(["worker", "accept-loss", "--yes"] + configuration)
            let again = try consortium.attempt(["worker", "accept-loss", "--yes"] + configuration)
            #expect(again.status == 1 && again.error.contains("there is no declared loss"), "\(again)")
        }
        let before = committed(consortium)
        workers = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait { committed(consortium) >= before + 2 },
            "\(consortium.log("coordinator")) \(consortium.log("acme-osaka"))"
        )
        for worker in workers { #expect(consortium.stop(worker) == 0) }
        #expect(consortium.stop(coordinator) == 0)
        // Receipts of rounds that were trained again have the names of the lost ones, which were moved aside.
        let all = try Set(receipts(consortium).values).union(receipts(consortium, "receipts-of-lost-entries").values)
        #expect(evidence.values.allSatisfy(all.contains))
        try audits(consortium)
    }

    private func audits(_ consortium: Consortium) throws {
        let site = consortium.path("acme-osaka/data")
        let audit = try consortium.attempt(
            [
                "audit", "verify", consortium.data, "--ca", consortium.authority, "--witness", "\(site)/receipts",
                "--witness",
                "\(site)/receipts-of-lost-entries",
            ])
        #expect(
            audit.status == 0 && audit.output.contains("the disk died") && audit.output.contains("declares lost"),
            "\(audit.output)"
        )
        let rounds = try consortium.kumiai("audit", "rounds", consortium.data, "--json")
        let events = try #require(
            (JSONSerialization.jsonObject(with: Data(rounds.output.utf8)) as? [String: Any])?["events"]
                as? [[String: Any]]
        )
        #expect(
            events.contains { ($0["text"] as? String)?.contains("others were lost: the disk died") == true },
            "\(rounds.output)"
        )
        // Without the entry of the loss, the same receipts are findings; the backup is such a ledger.
        let backup = try consortium.attempt(
            [
                "audit", "verify", consortium.path("backup"), "--ca", consortium.authority, "--witness",
                "\(site)/receipts-of-lost-entries",
            ])
        #expect(backup.status == 3, "\(backup.output)")
    }

    /// Otherwise the decision on a deadline that passed meanwhile would take the index of an entry that a site's
    /// receipt can restore.
    @Test func sitesAreHeardBeforeADeadlineIsDecidedThatPassedMeanwhile() throws {
        let consortium = try Consortium(rounds: 1, localSteps: 300, quorum: 1)
        try consortium.edit("operator/plan.toml", "deadline_seconds = 3600", "deadline_seconds = 12")
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let first = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait { consortium.campaign["phase"] as? String == "collecting" },
            "\(consortium.log("coordinator"))"
        )
        let opened = Date()
        for worker in first { kill(worker.processIdentifier, SIGKILL) }
        #expect(consortium.stop(coordinator) == 0)
        try copy(consortium.data, to: consortium.path("backup"))

        coordinator = try consortium.startCoordinator()
        var workers = try [0, 1].map(consortium.startWorker)
        func connections() -> Int {
            consortium.log("coordinator").components(separatedBy: "site connected site=bolt").count - 1
        }
        // With both updates the round would be committed, and no site has a receipt for a commit.
        try #require(consortium.wait { connections() == 2 })
        kill(workers[1].processIdentifier, SIGSTOP)
        try #require(consortium.wait { try receipts(consortium).count == 1 }, "\(consortium.log("acme-osaka"))")
        for process in workers + [coordinator] { kill(process.processIdentifier, SIGKILL) }
        let evidence = try receipts(consortium)
        try restore(consortium)
        usleep(UInt32(max(0, 13 - Date().timeIntervalSince(opened)) * 1_000_000))

        coordinator = try consortium.startCoordinator()
        try #require(
            consortium.wait { problems(consortium).contains("has just started") },
            "\(consortium.log("coordinator"))"
        )
        let entries = try consortium.status()["ledger_entries"] as? Int
        usleep(1_500_000)
        #expect(try consortium.status()["ledger_entries"] as? Int == entries)
        workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("acme-osaka"))")
        for worker in workers { worker.waitUntilExit() }
        #expect(
            consortium.log("coordinator").contains("entries were restored from receipts"),
            "\(consortium.log("coordinator"))"
        )
        #expect(!consortium.log("acme-osaka").contains("accept-loss"))
        #expect(consortium.campaign["phase"] as? String == "completed" && problems(consortium).isEmpty)
        let all = try receipts(consortium)
        #expect(evidence.allSatisfy { all[$0.key] == $0.value })
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func aLedgerThatIsShorterThanItsSealIsRefused() throws {
        let consortium = try withBackup()
        try FileManager.default.removeItem(atPath: consortium.data + "/ledger.sqlite")
        try copy(consortium.path("backup/ledger.sqlite"), to: consortium.data + "/ledger.sqlite")
        let coordinator = try consortium.startCoordinator()
        try #require(consortium.wait { !coordinator.isRunning })
        #expect(
            coordinator.terminationStatus == 1
                && consortium.log("coordinator").contains("an older copy was put in its place"),
            "\(consortium.log("coordinator"))"
        )
    }

    @Test func aStartThatFailsLeavesTheSealAndAnEmptyLedgerIsNone() throws {
        let consortium = try Consortium()
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        #expect(consortium.stop(coordinator) == 0)
        let seal = try consortium.directory.read("coordinator/data/ledger.seal")
        let socket = try Shell.start(
            [
                "python3", "-c",
                "import socket,time; s=socket.create_server(('127.0.0.1', \(consortium.port))); time.sleep(60)",
            ],
            output: "/dev/null",
            error: "/dev/null"
        )
        defer { kill(socket.processIdentifier, SIGKILL) }
        usleep(500_000)
        coordinator = try consortium.startCoordinator()
        try #require(consortium.wait { !coordinator.isRunning })
        #expect(
            coordinator.terminationStatus == 1 && consortium.log("coordinator").contains("address already in use"),
            "\(consortium.log("coordinator"))"
        )
        #expect(try consortium.directory.read("coordinator/data/ledger.seal") == seal)
        for name in ["ledger.sqlite", "ledger.seal"] {
            try FileManager.default.removeItem(atPath: "\(consortium.data)/\(name)")
        }
        try consortium.directory.write("coordinator/data/ledger.sqlite", [])
        coordinator = try consortium.startCoordinator()
        try #require(consortium.wait { !coordinator.isRunning })
        #expect(
            coordinator.terminationStatus == 1 && consortium.log("coordinator").contains("ledger.sqlite is empty"),
            "\(consortium.log("coordinator"))"
        )
    }

    /// A ledger that differs from its seal is not accepted silently, and nothing is added to it.
    @Test func aLedgerThatWasChangedAfterItWasSealedIsRefused() throws {
        let consortium = try withBackup()
        func sqlite(_ statement: String) throws {
            let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
            #expect(
                try Shell.run(["python3", "-c", script, consortium.data + "/ledger.sqlite", statement]).status == 0
            )
        }
        func refused(_ text: String) throws {
            let coordinator = try consortium.startCoordinator()
            try #require(consortium.wait { !coordinator.isRunning })
            #expect(
                coordinator.terminationStatus == 1 && consortium.log("coordinator").contains(text),
                "\(consortium.log("coordinator"))"
            )
        }
        try sqlite(
            "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries WHERE position = new.position; END"
        )
        try refused("contains a trigger t: not a ledger")
        #expect(try consortium.attempt(["audit", "verify", consortium.data]).status == 3)
        try sqlite("DROP TRIGGER t")
        try refused("the ledger's file was changed after it was sealed")
        // The CA cannot be changed in an older copy of the ledger either.
        try FileManager.default.removeItem(atPath: consortium.data + "/ledger.sqlite")
        try copy(consortium.path("backup/ledger.sqlite"), to: consortium.data + "/ledger.sqlite")
        try consortium.kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("pki-2027"))
        try consortium.kumiai(
            "pki",
            "endorse",
            consortium.path("pki-2027"),
            "--ca",
            consortium.path("pki"),
            "--out",
            consortium.path("rotation")
        )
        let before = try consortium.directory.read("coordinator/data/ledger.sqlite")
        let rotation = try consortium.attempt(
            [
                "coordinator", "rotate-ca", consortium.path("rotation"), "--config",
                consortium.path("coordinator/coordinator.toml"),
            ])
        #expect(rotation.status == 1 && rotation.error.contains("an older copy was put in its place"), "\(rotation)")
        #expect(try consortium.directory.read("coordinator/data/ledger.sqlite") == before)
        #expect(FileManager.default.fileExists(atPath: consortium.data + "/ledger.seal"))
    }

    /// Otherwise an operator's decisions right after a restoration would take the indices of entries that the sites'
    /// receipts can restore.
    @Test func nothingIsDecidedBeforeTheSitesAreHeard() throws {
        let consortium = try Consortium(rounds: 1000)
        let first = try consortium.startCoordinator()
        try consortium.openCampaign()
        #expect(consortium.stop(first) == 0)
        let coordinator = try consortium.startCoordinator()
        func entries() -> Int? { (try? consortium.status())?["ledger_entries"] as? Int }
        try #require(consortium.wait { entries() != nil })
        let before = entries()
        for command in [
            ["campaign", "pause", "FY2026-FY2027", "--reason", "test"],
            ["campaign", "stop", "FY2026-FY2027", "--reason", "test"],
        ] {
            let early = try consortium.attempt(command + consortium.operatorConfig)
            #expect(
                early.status == 5 && early.error.contains("decides nothing until its sites have reported"),
                "\(early)"
            )
        }
        #expect(entries() == before)
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait {
                (try? consortium.attempt(
                    ["campaign", "stop", "FY2026-FY2027", "--reason", "test"] + consortium.operatorConfig
                ).status) == 0
            }
        )
        for worker in workers { worker.waitUntilExit() }
        #expect(consortium.stop(coordinator) == 0)
    }

    /// An answer without a new entry is an acknowledgement too.
    @Test func aLedgerThatIsGoneAnswersNothing() throws {
        let consortium = try Consortium(rounds: 1000)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let ledger = consortium.data + "/ledger.sqlite"
        #expect(rename(ledger, ledger + ".away") == 0)
        // Also while there are no requests.
        #expect(
            consortium.wait {
                consortium.log("coordinator").contains("nothing is decided, and nothing is answered from the ledger")
            }
        )
        let again = try consortium.attempt(
            ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect(again.status == 5 && again.error.contains("was removed or replaced while it was in use"), "\(again)")
        #expect(problems(consortium).contains("was removed or replaced while it was in use"))
        #expect(rename(ledger + ".away", ledger) == 0)
        #expect(
            try consortium.attempt(
                ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
            ).status == 0
        )
        // Another program deletes a row, but not the tree head, whose loss would be noticed at once.
        let script =
            """
            import sqlite3; c = sqlite3.connect('\(ledger)'); c.execute('DELETE FROM entries WHERE position = 1'); \
            c.commit()
            """
        #expect(try Shell.run(["python3", "-c", script]).status == 0)
        let pause = try consortium.attempt(
            ["campaign", "pause", "FY2026-FY2027", "--reason", "test"] + consortium.operatorConfig
        )
        #expect(pause.status == 5 && pause.error.contains("the coordinator cannot write its ledger"), "\(pause)")
        kill(coordinator.processIdentifier, SIGKILL)
        coordinator.waitUntilExit()
    }

    @Test func aLedgerThatIsReplacedWhileTheCoordinatorRunsIsNoticed() throws {
        let consortium = try Consortium(rounds: 1000)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let ledger = consortium.data + "/ledger.sqlite"
        try copy(ledger, to: ledger + ".copy")
        #expect(rename(ledger + ".copy", ledger) == 0)
        let stop = try consortium.attempt(
            ["campaign", "stop", "FY2026-FY2027", "--reason", "test"] + consortium.operatorConfig
        )
        #expect(stop.status != 0)
        #expect(
            consortium.wait { consortium.log("coordinator").contains("was removed or replaced while it was in use") },
            "\(consortium.log("coordinator"))"
        )
        kill(coordinator.processIdentifier, SIGKILL)
        coordinator.waitUntilExit()
    }

    @Test func anotherAuthorityIsRefusedUntilBothHaveSignedTheChange() throws {
        let consortium = try Consortium(rounds: 1000)
        let first = try Certificate(pem: consortium.directory.read("pki/ca.pem")).pem()
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        #expect(consortium.stop(coordinator) == 0)
        try consortium.kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("pki-2027"))
        let second = try consortium.directory.read("pki-2027/ca.pem")

        // A CA of the same name, with its own certificates.
        try copy(consortium.path("coordinator"), to: consortium.path("coordinator.saved"))
        for file in ["certificate.pem", "key.pem", "ca.pem"] {
            try FileManager.default.removeItem(atPath: consortium.path("coordinator/\(file)"))
        }
        try consortium.kumiai(
            "pki",
            "issue",
            "coordinator/main",
            "--ca",
            consortium.path("pki-2027"),
            "--out",
            consortium.path("coordinator")
        )
        let other = try consortium.startCoordinator()
        try #require(consortium.wait { !other.isRunning })
        #expect(
            other.terminationStatus == 6 && consortium.log("coordinator").contains("kumiai coordinator rotate-ca"),
            "\(consortium.log("coordinator"))"
        )

        // Both CAs sign the change; from here on, the sites' certificates are under the new one.
        for file in ["certificate.pem", "key.pem", "ca.pem"] {
            try FileManager.default.removeItem(atPath: consortium.path("coordinator/\(file)"))
            try copy(consortium.path("coordinator.saved/\(file)"), to: consortium.path("coordinator/\(file)"))
        }
        try consortium.kumiai(
            "pki",
            "endorse",
            consortium.path("pki-2027"),
            "--ca",
            consortium.path("pki"),
            "--out",
            consortium.path("rotation")
        )
        try consortium.kumiai(
            "coordinator",
            "rotate-ca",
            consortium.path("rotation"),
            "--config",
            consortium.path("coordinator/coordinator.toml")
        )
        for name in ["coordinator", "operator", "acme-osaka", "bolt-turin"] {
            try consortium.directory.write("\(name)/ca.pem", first + second)
        }
        for name in ["acme-osaka"] {
            let folder = consortium.path(name)
            for file in ["certificate.pem", "key.pem"] {
                try FileManager.default.moveItem(atPath: "\(folder)/\(file)", toPath: "\(folder)/\(file).2026")
            }
            try consortium.kumiai(
                "pki",
                "issue",
                "member/acme/site/osaka",
                "--ca",
                consortium.path("pki-2027"),
                "--out",
                consortium.path("new")
            )
            for file in ["certificate.pem", "key.pem"] {
                try copy(consortium.path("new/\(file)"), to: "\(folder)/\(file)")
            }
        }
        let rotated = try consortium.startCoordinator()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait { committed(consortium) >= 2 },
            "\(consortium.log("coordinator")) \(consortium.log("acme-osaka"))"
        )
        for worker in workers { #expect(consortium.stop(worker) == 0) }
        #expect(consortium.stop(rotated) == 0)
        // The first CA is enough; the second one alone is not.
        let audit = try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority])
        #expect(audit.status == 0, "\(audit.output)")
        #expect(
            try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.path("pki-2027/ca.pem")])
                .status == 6
        )
    }
}
