import Foundation
import TestKit
import Testing

@testable import KumiaiCommands

/// Where configurations are found, and how `init` treats existing files.
@Suite(.serialized) struct ConfigurationTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func kumiai(_ arguments: [String], environment: [String: String] = [:], in folder: String? = nil) throws
        -> Shell.Outcome
    {
        try Shell.run([Shell.kumiai] + arguments, environment: environment, directory: folder)
    }

    private func campaign(_ release: String, _ options: String...) throws -> Shell.Outcome {
        try kumiai(
            [
                "campaign", "init", directory.file("alice"), "--coordinator", "127.0.0.1:7443", "--base", "FY2026",
                "--release", release,
            ] + options
        )
    }

    private func text(_ name: String) throws -> String { String(decoding: try directory.read(name), as: UTF8.self) }

    @Test func aConfigurationIsFoundInTheEnvironmentAndInTheCurrentDirectory() throws {
        #expect(try campaign("FY2027", "--site", "acme/osaka").status == 0)
        let folder = directory.file("alice"), status = ["coordinator", "status"]
        // Each command finds operator.toml, and fails at the certificate, which does not exist.
        func found(_ outcome: Shell.Outcome) {
            #expect(outcome.status == 6 && outcome.error.contains("certificate.pem"), "\(outcome)")
        }
        try found(kumiai(status, in: folder))
        try found(kumiai(status, environment: ["KUMIAI_CONFIG": folder], in: directory.path))
        try found(kumiai(status, environment: ["KUMIAI_CONFIG": folder + "/operator.toml"], in: directory.path))
        try found(
            kumiai(
                status + ["--config", folder + "/operator.toml"],
                environment: ["KUMIAI_CONFIG": "/nowhere"],
                in: directory.path
            )
        )
    }

    @Test(arguments: [
        (["coordinator", "status"], "operator.toml", "kumiai campaign init"),
        (["worker", "status"], "worker.toml", "kumiai worker init"),
        (["worker", "run"], "worker.toml", "kumiai worker init"),
        (["worker", "doctor"], "worker.toml", "kumiai worker init"),
        (["coordinator", "run"], "coordinator.toml", "kumiai coordinator init"),
    ])
    func aMissingConfigurationIsAnsweredWithAllPlaces(command: [String], name: String, author: String) throws {
        let nothing = try kumiai(command, environment: ["KUMIAI_CONFIG": ""], in: directory.path)
        #expect(nothing.status == 6, "\(nothing)")
        for part in ["--config is not given", "KUMIAI_CONFIG is not set", "\(name) in", directory.path, author] {
            #expect(nothing.error.contains(part), "\(part): \(nothing.error)")
        }
        let named = try kumiai(command, environment: ["KUMIAI_CONFIG": directory.file("gone")], in: directory.path)
        #expect(
            named.status == 6 && named.error.contains(directory.file("gone")) && named.error.contains("KUMIAI_CONFIG"),
            "\(named)"
        )
    }

    @Test func whatAKeptConfigurationSaysIsWhatIsReported() throws {
        func initialise(_ coordinator: String, _ demonstrations: String) throws -> [String: Any] {
            let outcome = try kumiai(
                [
                    "worker", "init", directory.file("osaka"), "--coordinator", coordinator, "--demonstrations",
                    demonstrations, "--json",
                ])
            return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        }
        let first = try initialise("127.0.0.1:7443", "/data/a.hdf5"),
            second = try initialise("1.2.3.4:1", "/data/b.hdf5")
        #expect(first["kept"] as? Bool == false && second["kept"] as? Bool == true)
        #expect(second["demonstrations"] as? String == "/data/a.hdf5", "\(second)")
        #expect(
            second["ignored"] as? [String] == ["--coordinator 1.2.3.4:1", "--demonstrations /data/b.hdf5"],
            "\(second)"
        )
    }

    /// The exit code is always the same if what an option names is missing or of the wrong kind.
    @Test func whatIsNamedAndWrongIsExit6() throws {
        let other = try directory.write("plan.toml", Array("a = 1".utf8)), gone = directory.file("gone")
        _ = try kumiai(["pki", "ca", "--consortium", "test.kumiai.example", "--out", directory.file("pki")])
        let authority = directory.file("pki/ca.pem")
        for command in [
            ["release", "show", gone], ["release", "show", directory.path, "--verify", "--ca", other],
            ["pki", "show", authority, "--ca", gone],
            ["pki", "show", other], ["policy", "evaluate", Repository.example("base/state.safetensors"), gone],
            ["pki", "endorse", directory.file("pki"), "--ca", directory.file("pki"), "--out", gone],
        ] {
            let outcome = try kumiai(command)
            #expect(outcome.status == 6 && !outcome.error.isEmpty, "\(command): \(outcome)")
        }
        let days = try kumiai([
            "pki", "endorse", directory.file("pki"), "--ca", directory.file("pki"), "--out", gone, "--days", "0",
        ])
        #expect(days.status == 64 && days.error.contains("expected 1 to 3650"), "\(days)")
    }

    @Test func anErrorAboutAFileSaysWhichKeyOfWhichConfigurationNamesIt() throws {
        let consortium = try Consortium(sites: 1)
        func refused(_ command: [String], _ name: String, _ key: String, _ text: String) throws {
            let path = consortium.path(name)
            let outcome = try consortium.attempt(command + ["--config", path])
            #expect(
                outcome.status == 6 && outcome.error.contains(text) && outcome.error.contains("(\(key) in \(path))"),
                "\(outcome)"
            )
        }
        try consortium.edit("coordinator/coordinator.toml", "data = \"data\"", "data = \"elsewhere\"")
        try refused(["coordinator", "run"], "coordinator/coordinator.toml", "data", "holds no ledger")
        try consortium.edit("acme-osaka/worker.toml", "data = \"data\"", "data = \"worker.toml\"")
        try refused(["worker", "run"], "acme-osaka/worker.toml", "data", "is not a directory")
        // A CA of the same name.
        let status = ["coordinator", "status"], file = "operator/operator.toml"
        let own = try consortium.directory.read("operator/ca.pem")
        try consortium.kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("other"))
        try consortium.directory.write("operator/ca.pem", consortium.directory.read("other/ca.pem"))
        try refused(status, file, "identity.certificate", "the certificate is not trusted")
        try consortium.directory.write("operator/ca.pem", own)
        // They are read in the opposite order.
        for name in ["key", "ca", "certificate"] {
            try FileManager.default.removeItem(atPath: consortium.path("operator/\(name).pem"))
            try refused(status, file, "identity.\(name)", "cannot read the file")
        }
        let key = consortium.path("acme-osaka/key.pem")
        #expect(chmod(key, 0o644) == 0)
        try refused(["worker", "run"], "acme-osaka/worker.toml", "identity.key", "chmod 600")
    }

    @Test func aConfigurationThatIsNoRegularFileIsRefusedAtOnce() throws {
        let fifo = directory.file("operator.toml")
        #expect(mkfifo(fifo, 0o600) == 0)
        let folder = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: folder.file("operator.toml"), withIntermediateDirectories: true)
        // A directory may be named instead of the configuration in it.
        for (path, kind) in [
            (fifo, "a FIFO"), ("/dev/zero", "a device"), (directory.path, "a FIFO"), (folder.path, "a directory"),
        ] {
            let outcome = try Shell.run(["timeout", "20", Shell.kumiai, "coordinator", "status", "--config", path])
            #expect(outcome.status == 6 && outcome.error.contains("it is \(kind)"), "\(path): \(outcome)")
        }
        try directory.write("large.toml", [UInt8](repeating: 10, count: 2 << 20))
        let large = try kumiai(["coordinator", "status", "--config", directory.file("large.toml")])
        #expect(large.status == 6 && large.error.contains("2097152 bytes"), "\(large)")
    }

    @Test func aCertificateThatIsNoRegularFileIsRefusedAtOnce() throws {
        let fifo = directory.file("ca.pem")
        #expect(mkfifo(fifo, 0o600) == 0)
        try FileManager.default.createDirectory(atPath: directory.file("copy"), withIntermediateDirectories: true)
        for arguments in [["pki", "show", fifo], ["audit", "verify", directory.file("copy"), "--ca", fifo]] {
            let outcome = try Shell.run(["timeout", "20", Shell.kumiai] + arguments)
            #expect(
                outcome.status == 6 && outcome.error.contains("cannot read") && outcome.error.contains(fifo),
                "\(arguments): \(outcome)"
            )
        }
    }

    @Test func aKeptFileIsSaidAndTheOptionsThatItIgnores() throws {
        let worker = ["worker", "init", directory.file("osaka"), "--demonstrations", "/data/a.hdf5"]
        #expect(try kumiai(worker + ["--coordinator", "h:1"]).status == 0)
        let before = try text("osaka/worker.toml")
        let same = try kumiai(worker + ["--coordinator", "h:1"])
        #expect(
            same.status == 0 && same.error.contains("exists already and was kept") && !same.error.contains("ignored"),
            "\(same)"
        )
        let other = try kumiai(worker + ["--coordinator", "h:2", "--exit-when-finished"])
        #expect(
            other.status == 0 && other.error.contains("ignored: --coordinator h:2, --exit-when-finished."),
            "\(other)"
        )
        #expect(!other.error.contains("--demonstrations"))
        #expect(try text("osaka/worker.toml") == before)
        // An operator's configuration.
        #expect(try campaign("FY2027", "--site", "acme/osaka").status == 0)
        let operators = try kumiai(
            [
                "campaign", "init", directory.file("alice"), "--coordinator", "h:9", "--base", "FY2026", "--release",
                "FY2027", "--site", "acme/osaka",
            ])
        #expect(
            operators.error.contains("ignored: --coordinator h:9") && operators.error.contains("contains this plan"),
            "\(operators)"
        )
    }

    @Test func aCoordinatorsKeptFileIsSaidToo() throws {
        let consortium = try Consortium(sites: 1)
        let outcome = try consortium.attempt([
            "coordinator", "init", consortium.path("coordinator"), "--base-model",
            Repository.example("base/state.safetensors"), "--name", "FY2026",
            "--listen", "127.0.0.1:1",
        ])
        // The ledger is not founded a second time.
        #expect(outcome.status != 0 && outcome.error.contains("ignored: --listen 127.0.0.1:1"), "\(outcome)")
    }

    @Test func theSecondYearsPlanIsWrittenBesideTheFirst() throws {
        #expect(try campaign("FY2027", "--site", "acme/osaka").status == 0)
        let first = try text("alice/plan.toml")
        let second = try campaign("FY2028", "--site", "acme/osaka")
        #expect(
            second.status == 0 && second.output.contains("plan-FY2028.toml")
                && !second.output.contains("alice/plan.toml"),
            "\(second)"
        )
        #expect(try text("alice/plan-FY2028.toml").contains("release = \"FY2028\""))
        #expect(try text("alice/plan.toml") == first)
        // The same command again changes nothing; a different plan for the same release does not replace the first.
        #expect(try campaign("FY2028", "--site", "acme/osaka").status == 0)
        for (release, name) in [("FY2027", "alice/plan.toml"), ("FY2028", "alice/plan-FY2028.toml")] {
            let before = try text(name)
            let other = try campaign(release, "--site", "acme/osaka", "--rounds", "7")
            #expect(
                other.status == 6 && other.error.contains("is a different plan for the release \(release)"),
                "\(other)"
            )
            #expect(try text(name) == before)
        }
    }

    @Test func namesThatNoPlanTakesAreRefusedBeforeAnythingIsWritten() throws {
        let twice = try campaign("FY2027", "--site", "bolt/turin", "--site", "acme/osaka", "--site", "bolt/turin")
        #expect(twice.status == 6 && twice.error.contains("bolt/turin is named more than once"), "\(twice)")
        let injected = try campaign("FY2027\"\nquorum = 1\n#", "--site", "acme/osaka")
        #expect(
            injected.status == 6 && injected.error.contains("expected at most 64 letters, digits, . _ -"),
            "\(injected)"
        )
        #expect(!FileManager.default.fileExists(atPath: directory.file("alice")))
    }

    @Test func allProblemsOfAPlanAreNamedAtOnce() throws {
        #expect(try campaign("FY2027", "--site", "acme/osaka").status == 0)
        let plan = directory.file("alice/plan.toml")
        let text = try text("alice/plan.toml").replacingOccurrences(of: "rounds = 60", with: "rounds = 0")
            .replacingOccurrences(
                of: "batch = 32",
                with: "batch = 0"
            )
        try directory.write("alice/plan.toml", Array(text.utf8))
        let outcome = try kumiai(["campaign", "check", plan])
        #expect(outcome.status == 6 && outcome.error.contains("rounds: expected 1 to 100000 rounds"), "\(outcome)")
        #expect(outcome.error.contains("training.batch: expected 1 to 65536"), "\(outcome)")
    }

    @Test func sitesOfAPlanMayStandInAnyOrder() throws {
        #expect(try campaign("FY2027", "--site", "acme/osaka", "--site", "bolt/turin").status == 0)
        let sorted = try text("alice/plan.toml")
        let old = #"["acme/osaka", "bolt/turin"]"#
        #expect(sorted.contains(old))
        try directory.write(
            "alice/plan.toml",
            Array(sorted.replacingOccurrences(of: old, with: #"["bolt/turin", "acme/osaka"]"#).utf8)
        )
        #expect(try PlanFile.load(directory.file("alice/plan.toml")) == PlanFile.parse(sorted, path: ""))
    }

    @Test(arguments: ["a b.hdf5", "a\"b\\c.hdf5", "データ/実演.hdf5", "a\u{7}b\u{85}\u{2028}.hdf5", "a\nb.hdf5"])
    func pathsOfAnyCharactersAreKeptInAConfiguration(name: String) throws {
        let path = "/data/\(name)"
        try directory.write(
            "worker.toml",
            Array(WorkerFile(coordinator: "h:1", training: .init(demonstrations: path)).template.utf8)
        )
        #expect(try TOMLFile<WorkerFile>(directory.file("worker.toml")).content.training.demonstrations == path)
    }

    @Test func commandsToCopyAreWordsOfAShell() throws {
        for text in ["plain/path-1.toml", "with space", "it's", "$(reboot)", "", "a;b", "日本"] {
            #expect(try Shell.run(["bash", "-c", "printf %s \(text.shellQuoted)"]).output == text)
        }
        #expect("plain/path-1.toml".shellQuoted == "plain/path-1.toml")
    }
}
