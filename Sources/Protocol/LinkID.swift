/// The shell's number for a connection.
package struct LinkID: Hashable, Sendable {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }
}
