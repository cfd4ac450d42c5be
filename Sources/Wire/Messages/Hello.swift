import Federation
import KumiaiProto

public struct Hello: Equatable, Sendable {
    public enum Purpose: String, Sendable { case control, bulk }

    public let versions: ClosedRange<UInt32>
    public let purpose: Purpose
    public let software: String
    /// The newest tree head that the site has seen, as a signed note; empty if it has seen none.
    public let treeHead: String

    /// Creates the first message of a connection.
    ///
    /// - Parameters:
    ///   - versions: The protocol versions that the client supports.
    ///   - purpose: Whether the connection is for control messages or for the transfer of blobs.
    ///   - software: The client's name and version, for display; at most 128 bytes.
    ///   - treeHead: The newest tree head that the site has seen, as a signed note; empty if it has seen none.
    public init(
        versions: ClosedRange<UInt32> = WireLimits.versions,
        purpose: Purpose,
        software: String,
        treeHead: String = ""
    ) {
        self.versions = versions
        self.purpose = purpose
        self.software = software
        self.treeHead = treeHead
    }
}

extension Hello {
    init(_ m: Kumiai__V1__Hello) throws {
        guard m.minimum_version <= m.maximum_version, m.minimum_version > 0 else {
            throw WireError("hello.minimum_version", "not a range of versions")
        }
        switch m.purpose {
        case KUMIAI__V1__PURPOSE__CONTROL: purpose = .control
        case KUMIAI__V1__PURPOSE__BULK: purpose = .bulk
        default: throw WireError("hello.purpose", "unknown")
        }
        versions = m.minimum_version...m.maximum_version
        software = try Field.text(m.software, "hello.software", atMost: 128)
        treeHead = try Field.text(m.tree_head, "hello.tree_head")
    }
}
