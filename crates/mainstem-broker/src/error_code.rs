//! Kafka's error codes, as the protocol guide numbers them (<https://kafka.apache.org/protocol#protocol_error_codes>), and the
//! one place where errors of the log become codes.

macro_rules! error_codes {
    ($($name:ident = $code:literal),* $(,)?) => {
        /// A code of an answer; `None` is success.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = concat!("Code ", $code)] $name = $code),*
        }
    };
}

error_codes! {
    UnknownServerError = -1, None = 0, OffsetOutOfRange = 1, CorruptMessage = 2, UnknownTopicOrPartition = 3,
    InvalidFetchSize = 4, LeaderNotAvailable = 5, NotLeaderOrFollower = 6, RequestTimedOut = 7, BrokerNotAvailable = 8,
    MessageTooLarge = 10, OffsetMetadataTooLarge = 12, CoordinatorLoadInProgress = 14, CoordinatorNotAvailable = 15,
    NotCoordinator = 16, InvalidTopicException = 17, RecordListTooLarge = 18, InvalidRequiredAcks = 21,
    IllegalGeneration = 22, InconsistentGroupProtocol = 23, InvalidGroupId = 24, UnknownMemberId = 25,
    InvalidSessionTimeout = 26, RebalanceInProgress = 27, InvalidCommitOffsetSize = 28, TopicAuthorizationFailed = 29,
    InvalidTimestamp = 32, UnsupportedSaslMechanism = 33, IllegalSaslState = 34, UnsupportedVersion = 35,
    TopicAlreadyExists = 36, InvalidPartitions = 37, InvalidReplicationFactor = 38, InvalidReplicaAssignment = 39,
    InvalidConfig = 40, NotController = 41, InvalidRequest = 42, UnsupportedForMessageFormat = 43, PolicyViolation = 44,
    OutOfOrderSequenceNumber = 45, DuplicateSequenceNumber = 46, InvalidProducerEpoch = 47, InvalidTxnState = 48,
    InvalidProducerIdMapping = 49, InvalidTransactionTimeout = 50, ConcurrentTransactions = 51,
    TransactionCoordinatorFenced = 52, SecurityDisabled = 54, OperationNotAttempted = 55, KafkaStorageError = 56,
    LogDirNotFound = 57, SaslAuthenticationFailed = 58, UnknownProducerId = 59, ReassignmentInProgress = 60,
    NonEmptyGroup = 68, GroupIdNotFound = 69, FetchSessionIdNotFound = 70, InvalidFetchSessionEpoch = 71,
    FencedLeaderEpoch = 74, UnknownLeaderEpoch = 75, UnsupportedCompressionType = 76, StaleBrokerEpoch = 77,
    OffsetNotAvailable = 78, MemberIdRequired = 79, GroupMaxSizeReached = 81, FencedInstanceId = 82,
    ElectionNotNeeded = 84, NoReassignmentInProgress = 85, GroupSubscribedToTopic = 86, InvalidRecord = 87, UnstableOffsetCommit = 88,
    ThrottlingQuotaExceeded = 89, ProducerFenced = 90, ResourceNotFound = 91, UnknownTopicId = 100, TransactionalIdNotFound = 105,
    FencedMemberEpoch = 110, UnreleasedInstanceId = 111, UnsupportedAssignor = 112, StaleMemberEpoch = 113, MismatchedEndpointType = 114,
    TransactionAbortable = 120, InvalidRegularExpression = 128,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}
