import ArgumentParser
import Foundation
import Coordinator
import Federation
import Learning
import LinearAlgebra
import Tensors
import Transport
import Wire
import Worker

struct WorkerDoctorCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check a site before its first round.",
        discussion: """
            Configuration, certificate, the way to the coordinator, linear algebra, and whether the demonstrations fit the
            contract of the model that the next round starts from: robot, cameras, keys, shapes, units. Changes nothing.
            Ends with the exit code of the first check that failed.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The worker's configuration.", valueName: "file"))
    var config = WorkerFile.name

    @Option(help: ArgumentHelp("Check the demonstrations against this model instead of the coordinator's.", valueName: "model.safetensors"))
    var model: String?

    @OptionGroup var json: JSONOption

    struct Check: Encodable {
        let name: String
        let ok: Bool
        let detail: String
        /// What the program ends with where this is the first that failed.
        let code: ExitCode

        enum CodingKeys: CodingKey { case name, ok, detail }

        init(_ name: String, ok: Bool = true, _ detail: String, code: ExitCode = ExitStatus.failed) {
            (self.name, self.ok, self.detail, self.code) = (name, ok, detail, code)
        }

        init(_ name: String, _ error: any Error) {
            let failure = Failure(error)
            self.init(name, ok: false, [failure.message, failure.hint].filter { !$0.isEmpty }.joined(separator: "; "), code: failure.code)
        }
    }

    struct Report: Encodable {
        let ok: Bool
        let checks: [Check]
    }

    func execute() async throws {
        let configuration = try WorkerFile.load(config)
        var checks = [Check("configuration", config)]
        let identity = Result { try WorkerIdentity(configuration, at: systemTime()) }
        checks.append(
            check("certificate") {
                let identity = try identity.get()
                return "\(identity.site), until \(Format.time(identity.chain[0].notAfter))"
            })
        let core = BLASCore.current
        checks.append(
            Check(
                "linear algebra", ok: core.isRight,
                core.wanted.map { "OpenBLAS uses \(core.used); this processor deserves \($0): set \(BLASCore.variable)=\($0)" }
                    ?? "OpenBLAS core \(core.used)"))
        let (reached, policy) = await coordinator(configuration, identity)
        checks.append(reached)
        checks.append(check("demonstrations") { try demonstrations(configuration, for: model.map(Self.policy) ?? policy) })
        let report = Report(ok: checks.allSatisfy(\.ok), checks: checks)
        if json.isOn { try report.printJSON() } else { show(report) }
        if let failed = checks.first(where: { !$0.ok }) { throw failed.code }
    }

    private func check(_ name: String, _ body: () throws -> String) -> Check {
        do { return Check(name, try body()) } catch { return Check(name, error) }
    }

    private static func policy(_ path: String) throws -> PolicyConfiguration { try Policy(SafetensorsFile(path: path)).configuration }

    private func demonstrations(_ configuration: WorkerConfiguration, for policy: PolicyConfiguration?) throws -> String {
        guard let policy else {
            throw UsageError("no model to check them against", hint: "reach the coordinator, or name a model with --model base.safetensors")
        }
        let scratch = FileManager.default.temporaryDirectory.path
        let train = try DemonstrationReader().read(
            configuration.demonstrations, split: .train, for: policy, declared: configuration.declared, scratch: scratch)
        return """
            \(train.demonstrationCount) demonstrations, \(train.count) samples of \(train.tasks.joined(separator: ", ")); \
            they fit the contract for \(policy.contract.embodiment)
            """
    }

    /// Whether the coordinator welcomes this site, and the policy that the next round starts from.
    private func coordinator(_ configuration: WorkerConfiguration, _ identity: Result<WorkerIdentity, any Error>) async -> (Check, PolicyConfiguration?) {
        let name = "coordinator"
        do {
            let dialer = try identity.get().dialer(configuration)
            // A bulk connection: a control connection would take the place of a running worker's.
            let (version, header) = try await dialer.withConnection(.bulk, software: "kumiai 0.1.0") { connection in
                (connection.welcome?.version ?? 0, try await ModelProbe.header(connection, largestBytes: configuration.largestModelBytes))
            }
            let policy = try header?[metadata: "config"].map { try PolicyConfiguration(json: $0) }
            return (Check(name, "\(configuration.host):\(configuration.port) welcomes this site, protocol version \(version)"), policy)
        } catch {
            return (Check(name, error), nil)
        }
    }

    private func show(_ report: Report) {
        for check in report.checks {
            let mark = check.ok ? Terminal.styled("ok  ", .green) : Terminal.styled("FAIL", .red)
            Terminal.print("\(mark)  \(check.name): \(check.detail)")
        }
    }
}
