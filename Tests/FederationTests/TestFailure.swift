/// Thrown where a value is not of the case that a test expects.
struct TestFailure: Error {}
