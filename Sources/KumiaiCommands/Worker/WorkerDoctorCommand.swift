import ArgumentParser
import Foundation
import Coordinator
import Federation
import Identity
import Learning
import NIOPosix
import Tensors
import Transport
import Wire
import Worker

struct WorkerDoctorCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check a site before its first round.",
        discussion: "Configuration, certificate, demonstrations, linear algebra and the way to the coordinator. Changes nothing.")

    @Option(name: .shortAndLong, help: ArgumentHelp("The worker's configuration.", valueName: "file"))
    var config = WorkerFile.name

    @Option(help: ArgumentHelp("Also check that the demonstrations fit this base model.", valueName: "model.safetensors"))
    var model: String?

    @OptionGroup var json: JSONOption

    struct Check: Encodable {
        let name: String
        let ok: Bool
        let detail: String
    }

    struct Report: Encodable {
        let ok: Bool
        let checks: [Check]
    }

    func execute() async throws {
        let configuration = try WorkerFile.load(config)
        var checks = [Check(name: "configuration", ok: true, detail: config)]
        checks.append(
            check("certificate") {
                let identity = try WorkerIdentity(configuration, at: systemTime())
                return "\(identity.site), until \(Format.time(identity.chain[0].notAfter))"
            })
        checks.append(check("demonstrations") { try demonstrations(configuration) })
        let core = BLASCore.current
        checks.append(
            Check(
                name: "linear algebra", ok: core.isRight,
                detail: core.wanted.map { "OpenBLAS uses \(core.used); this processor deserves \($0): set \(BLASCore.variable)=\($0)" }
                    ?? "OpenBLAS core \(core.used)"))
        checks.append(await coordinator(configuration))
        let report = Report(ok: checks.allSatisfy(\.ok), checks: checks)
        if json.isOn { try report.printJSON() } else { show(report) }
        if !report.ok { throw ExitStatus.failed }
    }

    private func check(_ name: String, _ body: () throws -> String) -> Check {
        do { return Check(name: name, ok: true, detail: try body()) } catch {
            let failure = Failure(error)
            return Check(name: name, ok: false, detail: [failure.message, failure.hint].filter { !$0.isEmpty }.joined(separator: "; "))
        }
    }

    private func demonstrations(_ configuration: WorkerConfiguration) throws -> String {
        let policy = try model.map { try Policy(SafetensorsFile(path: $0)).configuration } ?? PolicyConfiguration(observation: .both)
        let scratch = FileManager.default.temporaryDirectory.path
        let train = try DemonstrationReader().read(configuration.demonstrations, split: .train, for: policy, scratch: scratch)
        return "\(train.demonstrationCount) demonstrations, \(train.count) samples of \(train.tasks.joined(separator: ", "))"
    }

    private func coordinator(_ configuration: WorkerConfiguration) async -> Check {
        let name = "coordinator"
        do {
            let identity = try WorkerIdentity(configuration, at: systemTime())
            let context = try TLSContext(
                .client, chain: identity.chain, key: try PrivateKey(pem: Credentials.read(configuration.key)),
                roots: try TrustRoots(pem: Credentials.read(configuration.authority)))
            let dialer = Dialer(
                host: configuration.host, port: configuration.port, context: context, consortium: configuration.consortium,
                group: MultiThreadedEventLoopGroup.singleton)
            // A bulk connection: a control connection would take the place of a running worker's.
            let welcome = try await dialer.withConnection(.bulk, software: "kumiai 0.1.0") { $0.welcome }
            return Check(
                name: name, ok: true, detail: "\(configuration.host):\(configuration.port) welcomes this site, protocol version \(welcome?.version ?? 0)")
        } catch {
            let failure = Failure(error)
            return Check(name: name, ok: false, detail: [failure.message, failure.hint].filter { !$0.isEmpty }.joined(separator: "; "))
        }
    }

    private func show(_ report: Report) {
        for check in report.checks {
            let mark = check.ok ? Terminal.styled("ok  ", .green) : Terminal.styled("FAIL", .red)
            Terminal.print("\(mark)  \(check.name): \(check.detail)")
        }
    }
}
