/// What a worker is doing, as its heartbeat says.
public enum Activity: String, Equatable, Sendable, CaseIterable {
    case idle, fetching, training, uploading, submitting, waiting
    /// A transfer waits for the hours in which the site allows transfers.
    case paused
}

public struct Heartbeat: Equatable, Sendable {
    public var activity: Activity
    public var round: Int
    /// The progress of the activity, 0 to 1.
    public var progress: Double
    public var localLoss: Double
    public var bytesUp: UInt64
    public var bytesDown: UInt64
    /// The site's problem: a sentence of the worker's code, never the text of an error; empty if there is none.
    public var problem: String
    /// The site's display name, in any script; empty if there is only its identifier.
    public var displayName: String

    public static let problemBytes = 256
    public static let displayNameBytes = 128

    /// Whether a site may have this display name: it is short, and is shown as it is.
    ///
    /// - Parameter text: The name, of any length.
    public static func isDisplayName(_ text: String) -> Bool {
        text.utf8.count <= displayNameBytes && !text.unicodeScalars.contains(where: DisplayText.isHidden)
    }

    /// Creates the value from its parts; see the properties. What exceeds ``problemBytes`` of `problem` or
    /// ``displayNameBytes`` of `displayName` is cut off.
    ///
    /// - Parameters:
    ///   - activity: What the worker is doing.
    ///   - round: The round of the activity, from 1; 0 if it has none.
    ///   - progress: The progress of the activity, 0 to 1.
    ///   - localLoss: The newest loss of the training; 0 if there is none.
    ///   - bytesUp: The bytes sent since the worker started.
    ///   - bytesDown: The bytes received since the worker started.
    ///   - problem: The site's problem; empty if there is none.
    ///   - displayName: The site's display name; empty if there is only its identifier.
    public init(
        activity: Activity = .idle,
        round: Int = 0,
        progress: Double = 0,
        localLoss: Double = 0,
        bytesUp: UInt64 = 0,
        bytesDown: UInt64 = 0,
        problem: String = "",
        displayName: String = ""
    ) {
        self.activity = activity
        self.round = round
        self.progress = progress
        self.localLoss = localLoss
        self.bytesUp = bytesUp
        self.bytesDown = bytesDown
        self.problem = problem.cut(toBytes: Self.problemBytes)
        self.displayName = displayName.cut(toBytes: Self.displayNameBytes)
    }
}
