import Federation
import KumiaiProto

extension Heartbeat {
    init(_ m: Kumiai__V1__Heartbeat) throws {
        self.init(
            activity: try Activity(m.activity),
            round: Int(m.round),
            progress: min(1, max(0, try Field.finite(m.progress, "heartbeat.progress"))),
            localLoss: try Field.finite(m.local_loss, "heartbeat.local_loss"),
            bytesUp: m.bytes_up,
            bytesDown: m.bytes_down,
            problem: try Field.text(m.trouble, "heartbeat.trouble", atMost: Heartbeat.problemBytes),
            displayName: try Field.text(m.display_name, "heartbeat.display_name", atMost: Heartbeat.displayNameBytes)
        )
    }
}

extension Activity {
    private static let numbers: [(Self, Kumiai__V1__Activity)] = [
        (.idle, KUMIAI__V1__ACTIVITY__IDLE), (.fetching, KUMIAI__V1__ACTIVITY__FETCHING),
        (.training, KUMIAI__V1__ACTIVITY__TRAINING), (.uploading, KUMIAI__V1__ACTIVITY__UPLOADING),
        (.submitting, KUMIAI__V1__ACTIVITY__SUBMITTING), (.waiting, KUMIAI__V1__ACTIVITY__WAITING),
        (.paused, KUMIAI__V1__ACTIVITY__PAUSED),
    ]

    var wireValue: Kumiai__V1__Activity { Self.numbers.first { $0.0 == self }!.1 }

    init(_ number: Kumiai__V1__Activity) throws {
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else { throw WireError("activity", "unknown") }
        self = pair.0
    }
}
