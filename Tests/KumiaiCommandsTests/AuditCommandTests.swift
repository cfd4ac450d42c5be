import Federation
import Foundation
import Identity
import Ledger
import TestKit
import Testing

@testable import KumiaiCommands

/// The output of the audit commands.
@Suite(.serialized) struct AuditCommandTests {
    private func json(_ outcome: Shell.Outcome) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    }

    @Test func roundsAreListedWithTheirEntriesAndSitesAndReplayedAtOnce() throws {
        // Three sites; the third never connects.
        let consortium = try Consortium(sites: 3, rounds: 2, quorum: 2)
        try consortium.edit("operator/plan.toml", "recruiting_seconds = 30", "recruiting_seconds = 0")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator"))")
        for worker in workers { worker.waitUntilExit() }
        #expect(try consortium.finish(coordinator).status == 0)
        try rounds(consortium)
        try replays(consortium)
        try otherAuthorities(consortium)
        try entries(consortium)
    }

    private func rounds(_ consortium: Consortium) throws {
        let report = try #require(
            json(consortium.kumiai("audit", "rounds", consortium.data, "--json")) as? [String: Any]
        )
        let list = try #require(report["rounds"] as? [[String: Any]])
        #expect((report["events"] as? [Any])?.isEmpty == true)
        #expect(list.count == 2)
        for row in list {
            let opened = try #require(row["opened_entry"] as? Int), ended = try #require(row["ended_entry"] as? Int)
            for (entry, kind) in [(opened, "round opened"), (ended, "round committed")] {
                let shown = try consortium.kumiai("audit", "show", "\(entry)", consortium.data)
                #expect(shown.output.contains(kind), "\(shown.output)")
            }
            let accepted = try #require(row["accepted"] as? [String]),
                missing = try #require(row["missing"] as? [String])
            #expect(accepted == ["acme/osaka", "bolt/turin"] && row["late"] as? [String] == [])
            #expect(Set(accepted + missing) == Set(try #require(row["cohort"] as? [String])))
        }
        let text = try consortium.kumiai("audit", "rounds", consortium.data, "--ca", consortium.authority).output
        let first = try #require(list.first)
        #expect(text.contains("2: acme/osaka, bolt/turin") && text.contains("MISSING"), "\(text)")
        #expect(
            text.contains("\(first["opened_entry"] as? Int ?? -1)–\(first["ended_entry"] as? Int ?? -1)"),
            "\(text)"
        )
    }

    private func replays(_ consortium: Consortium) throws {
        let all = try consortium.kumiai("audit", "replay", "--all", consortium.data, "--ca", consortium.authority)
        #expect(all.output.contains("identical  2 of 2 rounds, bit for bit"), "\(all)")
        let report = try #require(
            json(consortium.kumiai("audit", "replay", consortium.data, "--all", "--json")) as? [String: Any]
        )
        #expect(report["sound"] as? Bool == true && report["identical"] as? Int == 2)
        #expect((report["rounds"] as? [[String: Any]])?.compactMap { $0["round"] as? Int } == [1, 2])
        for wrong in [
            ["--all", "1", consortium.data], [consortium.data], ["x", consortium.data], ["1", "2", consortium.data],
        ] {
            #expect(try consortium.attempt(["audit", "replay"] + wrong).status == 64, "\(wrong)")
        }
        // An update of the first round is damaged; the second round is replayed anyway.
        let updates = (0..<40).compactMap {
            try? consortium.kumiai("audit", "show", "\($0)", consortium.data, "--json")
        }.compactMap {
            try? json($0) as? [String: Any]
        }.filter { $0["kind"] as? String == "update accepted" }
        let digest = try #require((updates.first?["fields"] as? [String: String])?["update"])
        let objects = consortium.data + "/blobs/objects"
        let path = try #require(
            FileManager.default.enumerator(atPath: objects)?.compactMap { $0 as? String }.first { $0.hasSuffix(digest) }
        )
        let url = URL(fileURLWithPath: "\(objects)/\(path)"), whole = try Data(contentsOf: url)
        var bytes = whole
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: url)
        let damaged = try consortium.attempt(["audit", "replay", "--all", consortium.data])
        #expect(
            damaged.status == 3 && damaged.output.contains("round 1") && damaged.output.contains(digest),
            "\(damaged)"
        )
        #expect(damaged.output.contains("1 of 2 rounds") && !damaged.output.contains("round 2:"), "\(damaged)")
        // A missing file affects only its round, not the report on the others.
        try FileManager.default.removeItem(at: url)
        #expect(mkfifo(url.path, 0o600) == 0)
        let pipe = try consortium.attempt(["audit", "replay", "--all", consortium.data])
        #expect(
            pipe.status == 3 && pipe.output.contains("1 of 2 rounds") && pipe.output.contains("not a regular file"),
            "\(pipe)"
        )
        try FileManager.default.removeItem(at: url)
        // A file of another size is not even read.
        try (whole + [0]).write(to: url)
        let longer = try consortium.attempt(["audit", "verify", consortium.data])
        #expect(
            longer.status == 3
                && longer.output.contains("it has \(whole.count + 1) bytes, but the ledger says \(whole.count)"),
            "\(longer.output)"
        )
        try whole.write(to: url)
    }

    /// Each audit reports a ledger that no coordinator can have written.
    @Test(arguments: [["rounds"], ["replay", "--all"], ["verify"]]) func aLedgerThatIsNoneIsTampering(command: [String])
        throws
    {
        let consortium = try Consortium(sites: 1)
        for content in [
            [], Array("no database at all, and longer than a header of SQLite has to be, so that it is looked at".utf8),
        ] {
            _ = try consortium.directory.write("coordinator/data/ledger.sqlite", content)
            let audit = try consortium.attempt(["audit"] + command + [consortium.data, "--ca", consortium.authority])
            #expect(audit.status == 3, "\(audit)")
        }
    }

    /// Every audit checks that an entry is the one that was written.
    @Test(arguments: [["rounds"], ["replay", "--all"], ["show", "1"], ["verify"]]) func aChangedEntryIsShownByNobody(
        command: [String]
    ) throws {
        let consortium = try Consortium(sites: 1)
        let change = "UPDATE entries SET bytes = zeroblob(length(bytes)) WHERE position = 1"
        let script =
            "import sqlite3; c = sqlite3.connect('\(consortium.data)/ledger.sqlite'); c.execute('\(change)'); c.commit()"
        #expect(try Shell.run(["python3", "-c", script]).status == 0)
        let audit = try consortium.attempt(["audit"] + command + [consortium.data, "--ca", consortium.authority])
        #expect(
            audit.status == 3 && (audit.output + audit.error).contains("its bytes or its leaf hash were changed"),
            "\(audit)"
        )
    }

    /// A `--ca` of another consortium is not tampering, even if that CA has the same name.
    private func otherAuthorities(_ consortium: Consortium) throws {
        for (name, folder) in [("test.kumiai.example", "same-name"), ("other.example", "other-name")] {
            try consortium.kumiai("pki", "ca", "--consortium", name, "--out", consortium.path(folder))
            let ca = ["--ca", consortium.path("\(folder)/ca.pem")]
            for command in [["verify"], ["rounds"], ["show", "0"], ["replay", "1"], ["replay", "--all"]] {
                let outcome = try consortium.attempt(["audit"] + command + [consortium.data] + ca)
                #expect(
                    outcome.status == 6 && outcome.error.contains("founded under a different CA")
                        && outcome.output.isEmpty,
                    "\(command): \(outcome)"
                )
            }
            let release = try consortium.attempt(
                ["release", "show", "\(consortium.data)/releases/FY2027", "--verify"] + ca
            )
            #expect(release.status == 6 && release.error.contains("not signed under the CA"), "\(release)")
            #expect(!(release.output + release.error).contains("TAMPERED"))
        }
        // A copy whose own CA file differs from its ledger's CA was tampered with.
        let own = consortium.data + "/ca.pem", whole = try consortium.directory.read("coordinator/data/ca.pem")
        try consortium.directory.write("coordinator/data/ca.pem", consortium.directory.read("same-name/ca.pem"))
        let changed = try consortium.attempt(["audit", "verify", consortium.data])
        #expect(changed.status == 3 && changed.output.contains("TAMPERED  ca.pem"), "\(own): \(changed)")
        try Data(whole).write(to: URL(fileURLWithPath: own))
    }

    private func entries(_ consortium: Consortium) throws {
        let shown = try consortium.kumiai("audit", "show", "2", consortium.data).output
        for (key, value) in [
            ("strategy.kind", "fedavgm"), ("strategy.learning_rate", "1.0"), ("strategy.momentum", "0.7"),
        ] {
            #expect(shown.contains(try Regex("\(key) +\(value)\\n")), "\(shown)")
        }
        #expect(!shown.contains("fedAvgM("))
        let report = try #require(
            json(consortium.kumiai("audit", "show", "2", consortium.data, "--json")) as? [String: Any]
        )
        let fields = try #require(report["fields"] as? [String: Any])
        #expect(fields["rounds"] as? Int == 2 && fields["rounds"] as? String == nil, "\(fields)")
        #expect(fields["strategy.momentum"] as? Double == 0.7 && fields["strategy.learning_rate"] as? Double == 1)
        #expect(fields["strategy.kind"] as? String == "fedavgm" && fields["by"] as? String == "operator/alice")
        #expect(fields["sites"] as? String == "acme/osaka, bolt/turin, cyan/lyon", "\(fields)")
    }

    /// With the log's key, a rewritten history could be excused by declaring the loss of a history that never existed.
    @Test func aDeclaredLossOfAHistoryThatTheLogNeverSignedIsAFinding() throws {
        let consortium = try Consortium()
        let key = try IdentityFile.key(consortium.data + "/log.key"), other = try PrivateKey.generate(.ed25519)
        let ledger = try Ledger(
            consortium: "test.kumiai.example",
            store: SQLiteLedger(path: consortium.data + "/ledger.sqlite"),
            key: key
        )
        let head = TreeHead(origin: ledger.origin, size: 9, root: Digest(of: [1]), time: ConsortiumFixture.systemTime())
        func declare(_ key: PrivateKey) throws {
            let loss = LossDeclaration(
                lostTreeHead: try SignedTreeHead(head, key: key).note,
                keptEntries: 2,
                reason: "why",
                declaredBy: "operator/alice"
            )
            try ledger.append([Entry(at: ConsortiumFixture.systemTime(), .lossDeclared(loss))])
        }
        try declare(key)
        #expect(try consortium.attempt(["audit", "verify", consortium.data]).status == 0)
        try declare(other)
        try ledger.close()
        let outcome = try consortium.attempt(["audit", "verify", consortium.data])
        #expect(
            outcome.status == 3
                && outcome.output.contains("the tree head declared lost does not belong to this ledger"),
            "\(outcome)"
        )
    }

    @Test func oneChangedEntryIsOneFinding() throws {
        let consortium = try Consortium()
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        #expect(consortium.stop(coordinator) == 0)
        let change =
            """
            import sqlite3; c = sqlite3.connect('\(consortium.data)/ledger.sqlite'); c.execute('UPDATE entries SET \
            bytes = zeroblob(60) WHERE position = 1'); c.commit()
            """
        #expect(try Shell.run(["python3", "-c", change]).status == 0)
        let report = try #require(
            json(consortium.attempt(["audit", "verify", consortium.data, "--json"])) as? [String: Any]
        )
        let findings = try #require(report["findings"] as? [[String: Any]])
        #expect(findings.count == 1 && findings[0]["subject"] as? String == "entry 1", "\(findings)")
    }

    @Test func plansAreDescribedInTheWordsOfTheirFile() {
        func described(_ strategy: Strategy, _ compression: Compression, _ section: String) -> [String] {
            var plan = Plan.draft
            (plan.strategy, plan.compression) = (strategy, compression)
            return EntryText.fields(of: plan).filter { $0.0.hasPrefix(section) }.map { "\($0.0) \($0.1)" }
        }
        let average = Strategy.fedAvg(learningRate: 1)
        #expect(
            described(average, .none, "strategy") == ["strategy.kind fedavg", "strategy.learning_rate 1.0"]
        )
        #expect(
            described(.fedYogi(AdaptiveMoments(learningRate: 0.01)), .none, "strategy") == [
                "strategy.kind fedyogi", "strategy.learning_rate 0.01", "strategy.beta1 0.9", "strategy.beta2 0.99",
                "strategy.tau 0.001",
            ]
        )
        #expect(described(average, .none, "compression").isEmpty)
        #expect(described(average, .bfloat16, "compression") == ["compression.kind bfloat16"])
        #expect(
            described(average, .int8(block: 256), "compression") == ["compression.kind int8", "compression.block 256"]
        )
        #expect(
            described(average, .topK(fraction: 0.05), "compression") == [
                "compression.kind topk", "compression.fraction 0.05",
            ]
        )
    }

    @Test func prunedRoundsAreListedInSpans() {
        func outcome(_ round: Int, _ result: String) -> ReplayReport.Round {
            .init(campaign: "C", round: round, updates: 1, result: result, problem: nil)
        }
        let rounds = [1, 2, 3, 5].map { outcome($0, "pruned") } + [outcome(4, "identical"), outcome(7, "pruned")]
        #expect(ReplayReport.prunedRounds(of: rounds).map(\.numbers) == ["1–3, 5, 7"])
    }
}
