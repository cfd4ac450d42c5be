/// The shell's number for a connection.
public struct LinkID: Hashable, Sendable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
}
