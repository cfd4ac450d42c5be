import Federation
import Worker

@testable import KumiaiCommands

extension FuzzTarget {
    /// The TOML files of every role; the first byte selects the role.
    static let configuration = FuzzTarget(name: "configuration", maximumBytes: 4096) { bytes in
        guard let kind = bytes.first else { return }
        withFile(Array(bytes.dropFirst())) { path in
            switch kind % 4 {
            case 0: _ = try? PlanFile.load(path)
            case 1: _ = try? WorkerFile.load(path)
            case 2: _ = try? CoordinatorFile.load(path)
            default: _ = try? TOMLFile<OperatorFile>(path)
            }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if let hours = DailyHours(text) {
            demand((0..<1440).contains(hours.wait(atMinute: 0)), "hours that never come")
        }
        _ = try? Endpoint(text, key: "k")
    } seeds: {
        [
            [0]
                + Array(
                    Samples.initialPlan.template.utf8
                ),
            [1]
                + Array(
                    WorkerFile(coordinator: "127.0.0.1:7443", training: .init(demonstrations: "d.hdf5")).template.utf8
                ),
            [2] + Array(CoordinatorFile(listen: "127.0.0.1:7443").template.utf8),
            [3] + Array(OperatorFile(coordinator: "h:1").template.utf8),
            Array("22:00-06:00".utf8), Array("[::1]:7443".utf8),
        ]
    }
}
