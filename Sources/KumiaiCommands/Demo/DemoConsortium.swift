import Coordinator
import Federation
import Foundation
import Identity
import Transport
import Wire
import Worker

/// Founds the demo's consortium and runs its campaign with real processes.
struct DemoConsortium {
    let layout: DemoLayout
    let rounds: Int
    let seed: Int
    let options: PlanOptions
    let output: LiveView.Output

    struct Outcome {
        let updatesAccepted: Int
        let bytesUp: UInt64
        let bytesDown: UInt64
        let releaseModel: Digest
    }

    func run() async throws -> Outcome {
        let address = "127.0.0.1:\(try freePort())"
        output.print("founding \(DemoLayout.consortium) in \(layout.directory)")
        try found(address)
        var processes: [DemoProcess] = []
        defer { for process in processes.reversed() { process.stop() } }
        processes.append(
            try start(
                "coordinator",
                ["coordinator", "run", "--config", "\(layout.coordinator)/\(CoordinatorFile.name)"]
            )
        )
        for site in layout.sites {
            processes.append(
                try start(
                    "\(site.id.member)-\(site.id.site)",
                    ["worker", "run", "--config", "\(layout.worker(site))/\(WorkerFile.name)"]
                )
            )
        }
        output.print(
            """
            started one coordinator and \(layout.sites.count) workers, each with its own demonstrations; logs in \
            \(layout.logs)
            """
        )
        let dialer = try operatorDialer()
        try await open(dialer, processes)
        let status = try await watch(dialer, processes)
        guard let campaign = status.campaign, campaign.phase == "completed" else {
            throw UsageError("the campaign stopped: \(status.campaign?.reason ?? "")", hint: "see \(layout.logs)")
        }
        guard
            case .releaseReady(_, let model, _, _) = try await dialer.ask(
                .cutRelease(DemoLayout.release, round: nil, adapterRank: 0),
                software: "kumiai demo"
            )
        else {
            throw TransportError(.unexpected, "the release was not cut")
        }
        output.print("cut release \(DemoLayout.release)")
        // Workers exit by themselves when the campaign has ended.
        for process in processes.dropFirst() { process.wait() }
        let workers = try layout.sites.compactMap { try WorkerStatus.read(from: layout.worker($0) + "/data") }
        return Outcome(
            updatesAccepted: campaign.updatesAccepted,
            bytesUp: workers.reduce(0) { $0 + $1.bytesUp },
            bytesDown: workers.reduce(0) { $0 + $1.bytesDown },
            releaseModel: model
        )
    }

    // MARK: Genesis

    private func found(_ address: String) throws {
        let now = systemTime()
        try FileManager.default.createDirectory(atPath: layout.logs, withIntermediateDirectories: true)
        let authority = try CertificateAuthority.create(consortium: DemoLayout.consortium, at: now)
        let files = PKIFiles(directory: layout.authority)
        try files.create()
        try files.write(authority.key.pem(), to: files.authorityKey, isPrivate: true)
        try files.write(authority.certificate.pem(), to: files.authority)
        try issue(.coordinator("main"), to: layout.coordinator, authority, now)
        try issue(.operator("demo"), to: layout.operatorDirectory, authority, now)
        try issue(.auditor("demo"), to: layout.auditor, authority, now)
        try write(CoordinatorFile(listen: address).template, to: "\(layout.coordinator)/\(CoordinatorFile.name)")
        try write(OperatorFile(coordinator: address).template, to: "\(layout.operatorDirectory)/\(OperatorFile.name)")
        try write(OperatorFile(coordinator: address).template, to: "\(layout.auditor)/\(OperatorFile.name)")
        try write(planText, to: "\(layout.operatorDirectory)/\(PlanFile.name)")
        for site in layout.sites {
            try issue(.site(site.id), to: layout.worker(site), authority, now)
            try FileManager.default.copyItem(atPath: site.source, toPath: layout.demonstrations(site))
            try write(
                WorkerFile(
                    coordinator: address,
                    exitWhenFinished: true,
                    training: .init(demonstrations: "demonstrations.hdf5")
                ).template,
                to: "\(layout.worker(site))/\(WorkerFile.name)"
            )
        }
        let configuration = try CoordinatorFile.load("\(layout.coordinator)/\(CoordinatorFile.name)")
        _ = try ConsortiumFounder(configuration).found(base: DemoLayout.base, modelPath: layout.baseModel, at: now)
    }

    private var planText: String {
        Plan.initial(
            campaign: CampaignID("\(DemoLayout.base)-\(DemoLayout.release)")!,
            base: DemoLayout.base,
            release: DemoLayout.release,
            sites: layout.sites.map(\.id),
            rounds: rounds,
            seed: UInt64(seed),
            rank: options.loraRank,
            compression: options.compression,
            deadlineSeconds: 300
        ).template
    }

    private func issue(
        _ role: Principal.Role,
        to directory: String,
        _ authority: CertificateAuthority,
        _ now: Timestamp
    ) throws {
        let files = PKIFiles(directory: directory)
        try files.create()
        let key = try PrivateKey.generate()
        let principal = Principal(consortium: DemoLayout.consortium, role: role)
        try files.write(key.pem(), to: files.key, isPrivate: true)
        try files.write(authority.issue(principal, for: key.publicKey, at: now).pem(), to: files.certificate)
        try files.write(authority.certificate.pem(), to: files.authority)
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// A port that is free now.
    private func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw UsageError("no free port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    // MARK: Running

    private func start(_ name: String, _ arguments: [String]) throws -> DemoProcess {
        try DemoProcess(name, arguments, log: "\(layout.logs)/\(name).log")
    }

    private func operatorDialer() throws -> Dialer {
        var options = try OperatorOptions.parse([])
        options.config = "\(layout.operatorDirectory)/\(OperatorFile.name)"
        return try options.dialer()
    }

    /// Opens the campaign as soon as the coordinator listens.
    private func open(_ dialer: Dialer, _ processes: [DemoProcess]) async throws {
        let plan = try PlanFile.load("\(layout.operatorDirectory)/\(PlanFile.name)")
        for attempt in 0... {
            do {
                _ = try await dialer.ask(.openCampaign(plan), software: "kumiai demo")
                return
            } catch let error as TransportError where error.code == .unreachable && attempt < 100 {
                for process in processes { try process.checkAlive() }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func watch(_ dialer: Dialer, _ processes: [DemoProcess]) async throws -> StatusReport {
        var view = LiveView(output)
        while true {
            for process in processes { try process.checkAlive() }
            guard case .status(let report) = try await dialer.ask(.getStatus, software: "kumiai demo") else {
                throw TransportError(.unexpected, "the coordinator's answer is not its status")
            }
            view.show(report)
            if report.campaign?.hasEnded == true {
                view.finish()
                return report
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
