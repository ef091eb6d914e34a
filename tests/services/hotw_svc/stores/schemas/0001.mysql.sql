CREATE TABLE asg_details (
`FleetIndexId` INTEGER NOT NULL,
`AutoScalingGroupName` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`AsgTag` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`HostType` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`AutoScalingGroupRegion` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`EAPOnboardingStatus` BOOL NOT NULL,
`EAPEnableStatus` BOOL NOT NULL,
`AsgCapacityLowerBound` INTEGER,
`AutoScalingGroupARN` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
PRIMARY KEY (`FleetIndexId`, `AutoScalingGroupName`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE asg_details_run (
`RunId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`AutoScalingGroupName` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`AsgTag` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`HostType` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`AutoScalingGroupRegion` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`EAPOnboardingStatus` BOOL NOT NULL,
`EAPEnableStatus` BOOL NOT NULL,
`AsgCapacityLowerBound` INTEGER,
`AutoScalingGroupARN` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`RecommendedOverrideValue` INTEGER NOT NULL,
PRIMARY KEY (`RunId`, `FleetIndexId`, `AutoScalingGroupName`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE capacity_override_details (
`RunId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`AutoScalingGroupName` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`CapacityOverrideName` VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`StartTime` TIMESTAMP(6) NOT NULL,
`Duration` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`OverrideValue` INTEGER NOT NULL,
`OverrideExpiryValue` INTEGER NOT NULL,
`OverrideTag` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`StartOffset` INTEGER NOT NULL,
`EndOffset` INTEGER NOT NULL,
`PlaceOrderIfRequired` BOOL NOT NULL,
`OverrideType` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Justification` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`EventIndexId` INTEGER NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`EndTime` TIMESTAMP(6) NOT NULL,
`PeakEnd` TIMESTAMP(6) NOT NULL,
`BaseCapacity` INTEGER NOT NULL,
`OverrideStatus` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Engine` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`RunId`, `FleetIndexId`, `AutoScalingGroupName`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX override_fleet ON capacity_override_details (`FleetIndexId`, `EventIndexId`, `RunId`, `AutoScalingGroupName`);
CREATE INDEX override_status ON capacity_override_details (`OverrideStatus`, `EventIndexId`, `RunId`, `FleetIndexId`, `AutoScalingGroupName`);
CREATE TABLE dead_letters (
`Id` VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Letter` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`Id`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE event_index (
`EventIndexId` INTEGER NOT NULL AUTO_INCREMENT,
`EventId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`EventIndexId`),
UNIQUE (`EventId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE fleet_index (
`FleetIndexId` INTEGER NOT NULL AUTO_INCREMENT,
`FleetId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`FleetIndexId`),
UNIQUE (`FleetId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE fleet_lock (
`FleetId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`LockTimestamp` TIMESTAMP(6) NULL,
`LockedBy` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`Holder` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`LeaseUntil` TIMESTAMP(6) NULL,
`Fence` BIGINT NOT NULL,
`Revision` BIGINT NOT NULL,
PRIMARY KEY (`FleetId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE fulfillment_details (
`FulfillmentId` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`AutoScalingGroupName` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`FulfillmentType` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`FulfillmentStatus` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`FulfillmentValue` INTEGER NOT NULL,
`FulfillmentDate` DATE NOT NULL,
`FulfillmentLink` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`IsEmergent` BOOL NOT NULL,
`RunId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`ExecutionId` INTEGER NOT NULL,
`EventIndexId` INTEGER NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`AvailabilityZone` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`FulfilledHosts` INTEGER NOT NULL,
`PlacedAt` TIMESTAMP(6) NOT NULL,
`StatusSince` TIMESTAMP(6) NULL,
`ApprovedAt` TIMESTAMP(6) NULL,
`DecidedBy` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`Reason` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`ApprovalRule` VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`OrdersVersionId` INTEGER NOT NULL,
`Superseded` BOOL NOT NULL,
`Deliveries` JSON NOT NULL,
PRIMARY KEY (`FulfillmentId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX fulfillment_event ON fulfillment_details (`EventIndexId`, `FulfillmentStatus`, `FulfillmentId`);
CREATE INDEX fulfillment_fleet ON fulfillment_details (`FleetIndexId`, `EventIndexId`);
CREATE INDEX fulfillment_run ON fulfillment_details (`RunId`, `FleetIndexId`);
CREATE TABLE gap_change (
`EventIndexId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`OrdersVersionId` INTEGER NOT NULL,
`ChangedAt` TIMESTAMP(6) NOT NULL,
`Gap` INTEGER NOT NULL,
PRIMARY KEY (`EventIndexId`, `FleetIndexId`, `OrdersVersionId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE gap_mark (
`MarkId` INTEGER NOT NULL AUTO_INCREMENT,
`FleetId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`ServiceId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`EventId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
PRIMARY KEY (`MarkId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE hotw_dashboard (
`EventIndexId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`ServiceIndexId` INTEGER NOT NULL,
`CapacityOverrideSum` INTEGER NOT NULL,
`OrdersVersionId` INTEGER NOT NULL,
`LatestExecutionId` INTEGER,
`LiveOrders` INTEGER NOT NULL,
`GrantedOrders` INTEGER NOT NULL,
`OpenOrders` INTEGER NOT NULL,
`LostOrders` INTEGER NOT NULL,
`ApprovedHosts` INTEGER NOT NULL,
`FulfilledHosts` INTEGER NOT NULL,
`Gap` INTEGER NOT NULL,
`EventVersionId` INTEGER NOT NULL,
`Withdrawn` BOOL NOT NULL,
`DueAt` TIMESTAMP(6) NULL,
`GapSince` TIMESTAMP(6) NULL,
PRIMARY KEY (`EventIndexId`, `FleetIndexId`, `Purpose`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX dashboard_due ON hotw_dashboard (`DueAt`);
CREATE INDEX dashboard_event_version ON hotw_dashboard (`EventIndexId`, `EventVersionId`);
CREATE INDEX dashboard_fleet ON hotw_dashboard (`FleetIndexId`);
CREATE INDEX dashboard_gap ON hotw_dashboard (`EventIndexId`, `Gap`);
CREATE INDEX dashboard_service ON hotw_dashboard (`EventIndexId`, `Purpose`, `ServiceIndexId`);
CREATE TABLE hotw_execution (
`ExecutionId` INTEGER NOT NULL AUTO_INCREMENT,
`FleetIndexId` INTEGER NOT NULL,
`ServiceIndexId` INTEGER NOT NULL,
`EventIndexId` INTEGER NOT NULL,
`RunId` INTEGER NOT NULL,
`PeakTPM` INTEGER,
`BAUTPM` INTEGER,
`CTPeakFactor` NUMERIC(5, 2),
`BufferFactor` NUMERIC(5, 2),
`HostThroughPutTPM` INTEGER,
`RequiredHosts` INTEGER,
`HostsPresentInApollo` INTEGER,
`CapacityOverrideSum` INTEGER,
`PendingEPICFMCHostOrder` INTEGER,
`PreferredHostType` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`Homogeneous` BOOL,
`Status` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Reasoning` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`FleetVersionId` INTEGER,
`DesiredCapacity` INTEGER,
`ChildDesiredCapacity` INTEGER,
`HostDistribution` JSON,
`User` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`CreatedAt` TIMESTAMP(6) NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`OrderType` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Needed` INTEGER,
`CapReason` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`OrderedHosts` INTEGER NOT NULL,
`Shortfall` INTEGER NOT NULL,
`FleetLine` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`FailCode` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`InputVersions` JSON,
`InputsHash` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`DryRun` BOOL NOT NULL,
`Engine` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`RecordedDigest` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
PRIMARY KEY (`ExecutionId`),
CONSTRAINT hotw_execution_once UNIQUE (`RunId`, `FleetIndexId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX hotw_execution_fleet ON hotw_execution (`FleetIndexId`, `EventIndexId`, `ExecutionId`);
CREATE TABLE hotw_run (
`RunId` INTEGER NOT NULL AUTO_INCREMENT,
`EventIndexId` INTEGER NOT NULL,
`RunStatus` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`OrderType` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`OrderTypeReason` TEXT,
`CreatedAt` TIMESTAMP(6) NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`User` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Fleets` INTEGER NOT NULL,
`DryRun` BOOL NOT NULL,
`Engine` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`EndedAt` TIMESTAMP(6) NULL,
`Tally` JSON,
`Trace` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`RunId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX hotw_run_event ON hotw_run (`EventIndexId`, `RunId`);
CREATE INDEX hotw_run_event_status ON hotw_run (`EventIndexId`, `RunStatus`, `RunId`);
CREATE INDEX hotw_run_status ON hotw_run (`RunStatus`, `RunId`);
CREATE TABLE idempotency_records (
`RecordId` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Digest` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`UnderWay` BOOL NOT NULL,
`Reference` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`Outcome` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`ExpiresAt` TIMESTAMP(6) NOT NULL,
PRIMARY KEY (`RecordId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX idempotency_records_expire ON idempotency_records (`ExpiresAt`);
CREATE TABLE kept_input (
`Hash` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Content` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`Hash`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE leases (
`Name` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Holder` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`LeaseUntil` TIMESTAMP(6) NULL,
`Fence` BIGINT NOT NULL,
`Record` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`Name`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE meta (
`Name` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Instant` TIMESTAMP(6) NULL,
PRIMARY KEY (`Name`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE order_review (
`ReviewId` INTEGER NOT NULL AUTO_INCREMENT,
`Decision` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Reason` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`User` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`CreatedAt` TIMESTAMP(6) NOT NULL,
`EndedAt` TIMESTAMP(6) NULL,
`Orders` INTEGER NOT NULL,
`Decided` INTEGER NOT NULL,
`Skipped` INTEGER NOT NULL,
`Trace` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`ReviewId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX order_review_open ON order_review (`EndedAt`, `ReviewId`);
CREATE TABLE order_review_book (
`ReviewId` INTEGER NOT NULL,
`EventIndexId` INTEGER NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`Orders` JSON NOT NULL,
PRIMARY KEY (`ReviewId`, `EventIndexId`, `Purpose`, `FleetIndexId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE order_review_skipped (
`ReviewId` INTEGER NOT NULL,
`FulfillmentId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Reason` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`ReviewId`, `FulfillmentId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE outbox (
`Id` BIGINT NOT NULL AUTO_INCREMENT,
`Topic` VARCHAR(249) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`MessageKey` VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`OccurredAt` TIMESTAMP(6) NOT NULL,
`Headers` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Body` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`Id`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX outbox_key ON outbox (`MessageKey`);
CREATE TABLE preferred_asg (
`RecordId` INTEGER NOT NULL AUTO_INCREMENT,
`FleetIndexId` INTEGER NOT NULL,
`EventIndexId` INTEGER NOT NULL,
`ASGs` JSON NOT NULL,
`UpdatedBy` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`UpdatedAt` TIMESTAMP(6) NOT NULL,
PRIMARY KEY (`RecordId`),
CONSTRAINT preferred_asg_once UNIQUE (`FleetIndexId`, `EventIndexId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE provider_group (
`FleetIndexId` INTEGER NOT NULL,
`AutoScalingGroupName` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`Revision` BIGINT NOT NULL,
`DueAt` TIMESTAMP(6) NULL,
`Attempts` INTEGER NOT NULL,
`Drifts` INTEGER NOT NULL,
`Asked` JSON NOT NULL,
`FoundMinSize` INTEGER,
`FoundMaxSize` INTEGER,
`Failure` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
`LookAt` TIMESTAMP(6) NULL,
PRIMARY KEY (`FleetIndexId`, `AutoScalingGroupName`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE INDEX provider_group_due ON provider_group (`DueAt`);
CREATE INDEX provider_group_look ON provider_group (`LookAt`);
CREATE TABLE reported_sum (
`EventIndexId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`Purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`ReportedSum` INTEGER NOT NULL,
`ReportedBy` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`ReportedAt` TIMESTAMP(6) NOT NULL,
PRIMARY KEY (`EventIndexId`, `FleetIndexId`, `Purpose`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE run_fleet (
`RunId` INTEGER NOT NULL,
`FleetIndexId` INTEGER NOT NULL,
`FleetId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
`ClaimUntil` TIMESTAMP(6) NULL,
`BlockedSince` TIMESTAMP(6) NULL,
PRIMARY KEY (`RunId`, `FleetIndexId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE run_slot (
`EventIndexId` INTEGER NOT NULL,
`Slot` TIMESTAMP(6) NOT NULL,
`RunId` INTEGER,
PRIMARY KEY (`EventIndexId`, `Slot`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE service_index (
`ServiceIndexId` INTEGER NOT NULL AUTO_INCREMENT,
`ServiceId` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
PRIMARY KEY (`ServiceIndexId`),
UNIQUE (`ServiceId`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;
