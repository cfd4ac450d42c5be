import Contracts
import Demonstrations
import Policies
import ArgumentParser
import Foundation
import Coordinator
import Federation
import LinearAlgebra
import Tensors
import Transport
import Wire
import Worker

struct WorkerDoctorCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check a site before its first round.",
        discussion: """
            Checks the configuration, the certificate, the data directory, the connection to the coordinator, linear \
            algebra, and whether the demonstrations (also the held-out ones) fit the contract of the model that the \
            next round starts from: robot, cameras, keys, shapes, units. Shows the data beside the contract. Changes \
            nothing. Exits with the code of the first check that failed.
            """
    )

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @Option(
        help: ArgumentHelp(
            "Check the demonstrations against this model instead of the coordinator's.",
            valueName: "model.safetensors"
        ),
        completion: .file(extensions: ["safetensors"])
    )
    var model: String?

    @OptionGroup var json: JSONOption

    struct Check: Encodable {
        let name: String
        let ok: Bool
        /// The site can take part now, but something needs attention soon.
        let warning: Bool
        let detail: String
        /// The exit code if this is the first check that failed.
        let code: ExitCode

        enum CodingKeys: CodingKey { case name, ok, warning, detail }

        init(
            _ name: String,
            ok: Bool = true,
            warning: Bool = false,
            _ detail: String,
            code: ExitCode = ExitStatus.failed
        ) {
            (self.name, self.ok, self.warning, self.detail, self.code) = (name, ok, warning, detail, code)
        }

        init(_ name: String, _ error: any Error) {
            let failure = Failure(error)
            self.init(
                name,
                ok: false,
                [failure.message, failure.hint].filter { !$0.isEmpty }.joined(separator: "; "),
                code: failure.code
            )
        }
    }

    struct Report: Encodable {
        let ok: Bool
        let checks: [Check]
        let demonstrations: Found
    }

    /// `nil`: the demonstrations could not be read, or there are none.
    struct Found: Encodable {
        var train: DemonstrationReport?
        var valid: DemonstrationReport?
    }

    func execute() async throws {
        let configuration = try WorkerFile.load(config)
        var checks = [Check("configuration", config)]
        let identity = Result { try WorkerFile.naming(config) { try WorkerIdentity(configuration, at: systemTime()) } }
        checks.append(
            check("certificate") {
                let identity = try identity.get()
                return "\(identity.site), until \(Format.time(identity.chain[0].notAfter))"
            }
        )
        if let identity = try? identity.get() { checks.append(CertificateCheck.check(identity, at: systemTime())) }
        checks.append(
            check("data directory") {
                let found = try SitePathCheck.data(configuration.dataDirectory)
                if let site = try? identity.get().site {
                    try DataDirectory(configuration.dataDirectory).requireOwner(site)
                }
                return found
            }
        )
        let core = BLASCore.current
        checks.append(Self.check(core, chosen: BLASCore.chosen))
        let (reached, policy) = await coordinator(configuration, identity)
        checks += reached + history(configuration)
        let (read, found) = demonstrations(configuration, reached: policy)
        checks += read
        let report = Report(ok: checks.allSatisfy(\.ok), checks: checks, demonstrations: found)
        if json.isOn { try report.printJSON() } else { show(report) }
        if let failed = checks.first(where: { !$0.ok }) { throw failed.code }
    }

    /// Slow kernels are a failed check, unless this machine's administrator has chosen them.
    static func check(_ core: BLASCore, chosen: String?) -> Check {
        guard let wanted = core.wanted else { return Check("linear algebra", ok: true, "OpenBLAS core \(core.used)") }
        let better = "this processor also supports \(wanted), which may be faster"
        if let chosen {
            return Check(
                "linear algebra",
                ok: true,
                "OpenBLAS uses \(core.used), because \(BLASCore.variable)=\(chosen) is set; \(better)"
            )
        }
        return Check(
            "linear algebra",
            ok: false,
            "OpenBLAS uses \(core.used); \(better): set \(BLASCore.variable)=\(wanted)"
        )
    }

    private func check(_ name: String, _ body: () throws -> String) -> Check {
        do { return Check(name, try body()) } catch { return Check(name, error) }
    }

    /// Until a declared loss is accepted, a worker sends nothing, although the coordinator accepts its connection.
    private func history(_ configuration: WorkerConfiguration) -> [Check] {
        guard FileManager.default.fileExists(atPath: configuration.dataDirectory + "/receipts") else { return [] }
        do {
            return try DeclaredLosses(configuration).proposed.map { loss in
                Check(
                    "ledger",
                    ok: false,
                    "\(loss.declaredBy) declares a loss: at most the first \(loss.keptEntries) entries of an earlier "
                        + "ledger were kept, the others are lost: \(loss.reason); "
                        + "nothing is sent until this site accepts it, once: kumiai worker accept-loss"
                )
            }
        } catch { return [Check("ledger", error)] }
    }

    private static func policy(_ path: String) throws -> PolicyConfiguration {
        try Policy(SafetensorsFile(path: path)).configuration
    }

    /// Checks both splits; `policy` is that of the coordinator's model, if the coordinator was reached.
    private func demonstrations(_ configuration: WorkerConfiguration, reached policy: PolicyConfiguration?) -> (
        [Check], Found
    ) {
        var found = Found()
        var heldOut = 0
        var checks = [
            check("demonstrations") {
                try SitePathCheck.requireDemonstrations(configuration.demonstrations)
                let set = try read(configuration, .train, for: model.map(Self.policy) ?? policy)
                found.train = DemonstrationReport(set)
                heldOut = set.summary.heldOut
                if let problem = set.summary.problem { throw problem }
                return Self.text(set)
            }
        ]
        guard found.train != nil else { return (checks, found) }
        checks.append(
            check("held-out demonstrations") {
                guard heldOut > 0 else { return "none: the site cannot measure what its model has learned" }
                let set = try read(configuration, .valid, for: model.map(Self.policy) ?? policy)
                found.valid = DemonstrationReport(set)
                if let problem = set.summary.problem { throw problem }
                return Self.text(set)
            }
        )
        return (checks, found)
    }

    private func read(_ configuration: WorkerConfiguration, _ split: Split, for policy: PolicyConfiguration?) throws
        -> DemonstrationSet
    {
        guard let policy else {
            throw UsageError(
                "there is no model to check the demonstrations against",
                hint: "fix what the checks above found, or name a model with --model base.safetensors"
            )
        }
        return try DemonstrationReader().inspect(
            configuration.demonstrations,
            split: split,
            for: policy,
            declared: configuration.declared,
            scratch: FileManager.default.temporaryDirectory.path
        )
    }

    private static let namedTasks = 8

    private static func text(_ set: DemonstrationSet) -> String {
        let tasks =
            set.tasks.prefix(namedTasks).joined(separator: ", ") + (set.tasks.count > namedTasks ? " and others" : "")
        let outside = set.summary.actions.reduce(0) { $0 + $1.outside },
            clamped = set.summary.state.reduce(0) { $0 + $1.outside }
        return """
            \(counted(set.demonstrationCount, "demonstration")), \(counted(set.count, "sample")) of \(tasks); \
            they fit the contract for \(set.configuration.contract.embodiment)\
            \(outside == 0 ? "" : "; \(counted(outside, "value")) of actions outside its range, see the table")\
            \(clamped == 0 ? "" : "; \(counted(clamped, "value")) of the state more than 5 std from the mean, see the table")
            """
    }

    /// Whether the coordinator accepts this site's connection, and the policy that the next round starts from.
    private func coordinator(_ configuration: WorkerConfiguration, _ identity: Result<WorkerIdentity, any Error>) async
        -> ([Check], PolicyConfiguration?)
    {
        let name = "coordinator"
        // Why not was said by the check of the certificate.
        guard let identity = try? identity.get() else {
            return ([Check(name, ok: false, "not asked, because this site's certificate cannot be used")], nil)
        }
        do {
            let dialer = try identity.dialer(configuration)
            // A bulk connection: a control connection would replace that of a running worker.
            let (welcome, here, header) = try await dialer.withConnection(.bulk, software: "kumiai 0.1.0") {
                connection in
                (
                    connection.welcome, systemTime(),
                    try await ModelProbe.header(connection, largestBytes: configuration.largestModelBytes)
                )
            }
            let policy = try header?[metadata: "config"].map { try PolicyConfiguration(json: $0) }
            let reached = Check(
                name,
                """
                \(configuration.host):\(configuration.port) accepts this site, protocol version \
                \(welcome?.version ?? 0)
                """
            )
            return ([reached] + (welcome.map { [Self.clocks(here: here, there: $0.time)] } ?? []), policy)
        } catch {
            return ([Check(name, error)], nil)
        }
    }

    /// Certificates are checked by the local clock, and deadlines by the coordinator's clock.
    private static func clocks(here: Timestamp, there: Timestamp) -> Check {
        let seconds = here.seconds(to: there),
            text = "the coordinator's clock says \(Format.time(there)), this machine's \(Format.time(here))"
        guard seconds > WorkerService.clockToleranceSeconds else { return Check("clocks", "less than a minute apart") }
        return Check("clocks", warning: true, "they differ by \(seconds) s: \(text); set the clock that is wrong")
    }

    private func show(_ report: Report) {
        for check in report.checks {
            Terminal.print("\(mark(check))  \(check.name): \(check.detail)")
        }
        report.demonstrations.train?.print("Training demonstrations")
        report.demonstrations.valid?.print("Held-out demonstrations")
    }

    private func mark(_ check: Check) -> StyledText {
        if !check.ok { return Terminal.styled("FAIL", .red) }
        return check.warning ? Terminal.styled("WARN", .yellow) : Terminal.styled("ok  ", .green)
    }
}
