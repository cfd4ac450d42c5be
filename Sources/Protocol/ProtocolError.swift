/// A message that is not allowed at this point of the protocol.
package struct ProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
