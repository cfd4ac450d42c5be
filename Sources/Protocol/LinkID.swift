/// One connection, as its shell numbers it.
public struct LinkID: Hashable, Sendable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
}
