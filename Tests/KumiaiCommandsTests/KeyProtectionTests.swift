import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Worker

/// Keys and passwords are neither replaced nor readable by others.
@Suite(.serialized) struct KeyProtectionTests: CertificateFixture {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func aKeyThatWasMovedAwayIsNotReplacedByOneThatFitsNothing() throws {
        let consortium = try Consortium(sites: 1)
        for (key, command) in [
            (
                "operator/key.pem",
                [
                    "pki", "issue", "operator/alice", "--ca", consortium.path("pki"), "--out",
                    consortium.path("operator"),
                ]
            ),
            ("pki/ca.key", ["pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("pki")]),
        ] {
            let kept = consortium.path("kept.key")
            try FileManager.default.moveItem(atPath: consortium.path(key), toPath: kept)
            let outcome = try consortium.attempt(command)
            #expect(outcome.status == 6 && outcome.error.contains("nothing was overwritten"), "\(outcome.error)")
            #expect(!FileManager.default.fileExists(atPath: consortium.path(key)))
            try FileManager.default.moveItem(atPath: kept, toPath: consortium.path(key))
        }
    }

    @Test func initOverALedgerThatIsMissingTouchesNoKey() throws {
        let consortium = try Consortium(sites: 1)
        let key = try consortium.directory.read("coordinator/data/log.key")
        for name in try FileManager.default.contentsOfDirectory(atPath: consortium.data) where name.hasPrefix("ledger.")
        {
            try FileManager.default.removeItem(atPath: "\(consortium.data)/\(name)")
        }
        let again = try consortium.attempt([
            "coordinator", "init", consortium.path("coordinator"), "--base-model",
            Repository.example("base/state.safetensors"),
            "--name", "FY2026",
        ])
        #expect(
            again.status == 6 && again.error.contains("log.key") && again.error.contains("restore ledger.sqlite"),
            "\(again.error)"
        )
        #expect(try consortium.directory.read("coordinator/data/log.key") == key)
        #expect(!FileManager.default.fileExists(atPath: consortium.data + "/ledger.sqlite"))
        let run = try consortium.attempt([
            "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"),
        ])
        #expect(run.status == 6 && run.error.contains("restore ledger.sqlite"), "\(run.error)")
    }

    @Test func whatOthersCanReadIsRefusedOrNeverWritten() throws {
        let consortium = try Consortium(sites: 1)
        for name in ["coordinator/data", "coordinator/data/blobs", "coordinator/data/releases"] {
            #expect(try mode(consortium.path(name)) == 0o700, "\(name)")
        }
        let worker = consortium.path("acme-osaka/worker.toml")
        #expect(try mode(worker) == 0o600)
        for (key, command) in [
            ("operator/key.pem", ["coordinator", "status"] + consortium.operatorConfig),
            ("acme-osaka/key.pem", ["worker", "run", "--config", worker]),
            (
                "coordinator/key.pem",
                ["coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml")]
            ),
            (
                "coordinator/data/log.key",
                ["coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml")]
            ),
            ("pki/ca.key", ["pki", "renew", consortium.path("operator"), "--ca", consortium.path("pki")]),
        ] {
            chmod(consortium.path(key), 0o644)
            let outcome = try consortium.attempt(command)
            #expect(
                outcome.status == 6 && outcome.error.contains(key) && outcome.error.contains("chmod 600"),
                "\(key): \(outcome.error)"
            )
            chmod(consortium.path(key), 0o600)
        }
        // A file without a password may be readable by others, one with a password may not.
        chmod(worker, 0o644)
        let status = ["worker", "status", "--config", worker]
        #expect(try !consortium.attempt(status).error.contains("password"))
        try consortium.edit("acme-osaka/worker.toml", "proxy = \"\"", "proxy = \"http://osaka:secret@127.0.0.1:3128\"")
        chmod(worker, 0o644)
        let exposed = try consortium.attempt(status)
        #expect(
            exposed.status == 6 && exposed.error.contains("password of a proxy") && exposed.error.contains("chmod 600"),
            "\(exposed.error)"
        )
    }
}
